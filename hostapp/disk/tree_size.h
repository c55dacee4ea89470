// SPDX-License-Identifier: Apache-2.0
// What a folder takes in an ext4 file system, and how large such a file system must be. The measure follows from names
// and sizes alone, not from how the folder's own file system keeps them: everybody gets the same.
#pragma once

#include <cstdint>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/disk/recording_syscalls.h"

namespace hostapp {

inline constexpr uint64_t kExt4BlockBytes = 4096;
inline constexpr size_t kExt4InodeBytes = 256;
inline constexpr uint64_t kExt4MostLinks = 65000;
inline constexpr size_t kExt4FastLinkBytes = 60;  // a shorter target stands in the inode
inline constexpr uint64_t kMiB = uint64_t{1} << 20;

struct TreeSize {
  uint64_t inodes = 0;
  uint64_t blocks = 0;         // of content, folders, long links and extended attributes; holes counted as content
  uint64_t content_bytes = 0;  // of files, each once
};

// Below the open folder, itself included. kCorrupt: something that is no file, folder or link.
Result<TreeSize> MeasureTree(int dir, const AttributeSource& attributes, OpContext& ctx);

// Inodes that a file system of `bytes` gets: one every 16 KiB, or the tree's and a half more.
uint64_t Ext4Inodes(uint64_t bytes, const TreeSize& tree);
// Bytes, whole MiB, of the smallest file system that certainly holds `tree` and `free_bytes` more.
uint64_t SmallestExt4(const TreeSize& tree, uint64_t free_bytes);

}  // namespace hostapp
