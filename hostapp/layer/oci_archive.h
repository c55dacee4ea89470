// SPDX-License-Identifier: Apache-2.0
// `oci-archive:`: a plain tar of an image layout (OCI image-spec "image-layout.md"), as skopeo writes it.
//
// Reading: the tar is read strictly, its members are indexed in one pass that skips their content, and blobs are then
// read in place. A member is found by the name that a digest has; no name in the archive is ever used as a path.
// Writing: the tar grows beside its final name as blobs come, and is renamed by Commit(): whole, or what was there
// before.
#pragma once

#include <memory>

#include "hostapp/oci/blob.h"

namespace hostapp {

// kNotFound: no such file, no layout in it, or no such tag (with the tags there are). kCorrupt.
Result<std::unique_ptr<ImageSource>> OpenArchive(const Reference& reference, OpContext& ctx);

// Replaces an archive that has the name already.
Result<std::unique_ptr<ImageDestination>> OpenArchiveForWriting(const Reference& reference, OpContext& ctx);

}  // namespace hostapp
