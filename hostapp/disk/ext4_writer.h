// SPDX-License-Identifier: Apache-2.0
// A folder as an ext4 file system in a file: without root, without mounting, and bit for bit the same for the same
// folder, attributes and options.
//
// mke2fs makes it empty, with everything spelled out that it would otherwise take from its configuration, the clock or
// chance; libext2fs fills it, inodes and blocks in the order of the walk; e2fsck gives large folders their hash trees
// and has to find nothing wrong. Only features are used that GRUB 2.06 reads. The file's path has no '?', which
// e2fsprogs would take for the beginning of options.
#pragma once

#include <cstdint>
#include <string>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/disk/recording_syscalls.h"
#include "hostapp/disk/tree_size.h"
#include "hostapp/disk/uuid.h"

namespace hostapp {

struct Ext4Options {
  uint64_t offset = 0;  // where it begins in the file, and
  uint64_t bytes = 0;   // how long it is: whole blocks
  uint64_t inodes = 0;
  std::string label;
  Uuid uuid;
  Uuid hash_seed;    // of folders' hash trees
  int64_t time = 0;  // of everything that has none of its own
};

// Writes what is below the open folder `tree` into `file`, of which that part is still all zero: what is zero here is
// not written. A file's zeros of 64 KiB and more become a hole. `size` is MeasureTree()'s. Names of one inode stay
// names of one inode, up to the 65,000 that ext4 allows; then a copy begins.
//
// Reports the stage "disk" in bytes of content. Not synced; an error leaves a part of it. Errors: kNoSpace, with what
// the tree needs and what there is; kNotFound: e2fsprogs is not installed; kInvalid: a '?' in the path; kInternal:
// e2fsck found something to mend; kIo; kCancelled.
Status WriteExt4(const std::string& file, const Ext4Options& options, int tree, const TreeSize& size,
                 const AttributeSource& attributes, OpContext& ctx);

}  // namespace hostapp
