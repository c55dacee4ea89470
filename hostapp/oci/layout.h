// SPDX-License-Identifier: Apache-2.0
// `oci:` and `oci-archive:`: OCI image-spec "image-layout.md", in a directory or in a tar of one.
//
// Reading trusts no name in it: blobs are opened by digest, beneath the directory, never through a symbolic link.
// Writing adds blobs under their final names once complete and switches index.json last.
#pragma once

#include <memory>

#include "hostapp/oci/blob.h"

namespace hostapp {

// kNotFound: no layout there, or no such tag (with the tags there are).
Result<std::unique_ptr<ImageSource>> OpenLayoutDir(const Reference& reference, OpContext& ctx);
Result<std::unique_ptr<ImageDestination>> OpenLayoutDirForWriting(const Reference& reference, OpContext& ctx);
// An archive may be a plain tar only (as skopeo writes it). Its members are indexed in one pass and read in place.
Result<std::unique_ptr<ImageSource>> OpenArchive(const Reference& reference, OpContext& ctx);
Result<std::unique_ptr<ImageDestination>> OpenArchiveForWriting(const Reference& reference, OpContext& ctx);

}  // namespace hostapp
