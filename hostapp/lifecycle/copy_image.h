// SPDX-License-Identifier: Apache-2.0
// `hostapp-image copy`: an image from any transport to any other, bit for bit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hostapp/oci/blob.h"
#include "hostapp/registry/registry.h"

namespace hostapp {

struct CopyOptions {
  // Only the manifest for this platform out of an index; nothing: the document that the reference names, an index with
  // all its manifests.
  std::optional<Platform> platform;
  // An existing folder for blobs on their way; what an interrupted copy leaves there is gone on with. Empty: a private
  // one below ${TMPDIR} or /var/tmp, removed at the end.
  std::string spool_dir;
  RegistryOptions source_registry;
  RegistryOptions destination_registry;
};

struct CopyReport {
  Digest digest;  // of the document that the destination's reference names now
  uint64_t manifests = 0;
  uint64_t blobs_sent = 0;
  uint64_t blobs_reused = 0;      // were there, or came from another repository of the registry
  uint64_t bytes_downloaded = 0;  // of blobs; less than bytes_sent where an interrupted copy is gone on with
  uint64_t bytes_sent = 0;
};

// Sends what the other side lacks, each blob verified before it is sent, manifests after what they name, the one with
// the tag last: the destination names nothing that is not there. An error leaves what it named before, and perhaps
// blobs that nothing names; run again, it goes on. Errors: of the two sides; kCorrupt when the source breaks a rule.
Result<CopyReport> CopyImage(const Reference& source, const Reference& destination, const CopyOptions& options,
                             OpContext& ctx);

}  // namespace hostapp
