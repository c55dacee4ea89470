// SPDX-License-Identifier: Apache-2.0
// `oci:`: OCI image-spec "image-layout.md", in a directory. (`oci-archive:` is hostapp/layer/oci_archive.h, beside the
// tar reader.)
//
// Reading trusts no name in it: blobs are opened by digest, beneath the directory, never through a symbolic link.
// Writing adds blobs under their final names once complete and switches index.json last.
#pragma once

#include <memory>

#include "hostapp/oci/blob.h"

namespace hostapp {

// kNotFound: no layout there, or no such tag (with the tags there are).
Result<std::unique_ptr<ImageSource>> OpenLayoutDir(const Reference& reference, OpContext& ctx);
// Makes the folder when it is missing; a layout that is there keeps its other tags and blobs. kInvalid for a folder
// that holds something else. A crash before Commit() leaves the old index.json and perhaps blobs that nothing names.
Result<std::unique_ptr<ImageDestination>> OpenLayoutDirForWriting(const Reference& reference, OpContext& ctx);

}  // namespace hostapp
