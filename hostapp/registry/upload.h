// SPDX-License-Identifier: Apache-2.0
// A blob to a registry: whole, or in pieces, going on where an interruption left it.
#pragma once

#include <optional>

#include "hostapp/registry/session.h"

namespace hostapp {

// Whether the repository has the blob.
Result<bool> BlobExists(Session& session, const Descriptor& blob, OpContext& ctx);

// Where the next bytes of an upload go.
struct UploadSession {
  Url location;
  uint64_t chunk_bytes = 0;  // the registry's least size of a piece, or ours
};

// Asks for the blob to be taken from the repository `from` of the same registry. Nothing in the result's optional: it
// was. Otherwise the upload that the registry began instead.
Result<std::optional<UploadSession>> MountBlob(Session& session, const Descriptor& blob, std::string_view from,
                                               OpContext& ctx);

// Sends the blob, `file` from its beginning. `begun` may be an upload that MountBlob() left.
Status UploadBlob(Session& session, const Descriptor& blob, int file, std::optional<UploadSession> begun,
                  OpContext& ctx);

}  // namespace hostapp
