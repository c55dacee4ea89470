// SPDX-License-Identifier: Apache-2.0
// Images of composefs: a file tree as an EROFS image, whose files overlayfs takes from the store.
//
// The format: EROFS (docs.kernel.org/filesystems/erofs.html) as libcomposefs 1.0 writes it, bit for bit. The fs-verity
// digest of an image stands for the whole tree with everything in it.
#pragma once

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "ostree-integration/composefs/format_version.h"
#include "ostree-integration/composefs/fs_verity.h"
#include "ostree-integration/composefs/tree.h"

namespace hostapp::composefs {

struct Image {
  Sha256 digest{};     // fs-verity: SHA-256, blocks of 4096 bytes, no salt
  uint64_t bytes = 0;  // a multiple of 4096
};

// Writes the tree's image to `out`, from its beginning to its end, in pieces of up to 64 KiB. The same tree gives the
// same bytes, whatever order its names were added in, as long as a file with several names was added under the same
// one. Takes 20 bytes an entry beside the tree.
//
// Errors: kCorrupt before the first byte (a name twice in a folder, an image beyond 16 TiB); those of `out`, after
// which what it has is no image. Durability is the caller's.
Result<Image> WriteImage(const Tree& tree, FormatVersion version, ByteSink& out);

// The oldest version that says all of the tree: what mkcomposefs writes unless it is told another.
inline FormatVersion OldestFormat(const Tree& tree) {
  return tree.HasWhiteouts() ? FormatVersion::kV1 : FormatVersion::kV0;
}

}  // namespace hostapp::composefs
