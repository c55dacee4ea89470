// SPDX-License-Identifier: Apache-2.0
// An image's tree as one file: a composefs image, whose files are the store's objects.
#pragma once

#include "hostapp/base/bytes.h"
#include "hostapp/base/hash.h"
#include "ostree-integration/store/image_store.h"

namespace hostapp {

struct RootImage {
  HashValue digest;    // fs-verity: stands for the whole tree with everything in it
  uint64_t bytes = 0;  // a multiple of 4096
};

// Writes the tree that MergeImage() makes of this image, with what OSTree's trees have no place for: the image's own
// mtimes, and which names are links of one file. Files are where `ostree/repo/objects` has them; content of up to 64
// bytes is in the image itself (docs/formats-composefs.md). A pure function of the image: every device writes the same
// bytes.
//
// kNotFound: the image, one of its layers or a short file is not in the store; kCorrupt: what MergeImage() refuses, a
// short file that is damaged, a name at the root that the store's folders would be seen below (00 to ff), what
// composefs cannot keep; those of `out`, after which what it has is no image. Durability is the caller's.
Result<RootImage> WriteRootImage(const ImageStore& store, const Digest& manifest_digest, ByteSink& out, OpContext& ctx);

}  // namespace hostapp
