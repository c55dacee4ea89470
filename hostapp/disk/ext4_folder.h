// SPDX-License-Identifier: Apache-2.0
// The blocks of an ext4 folder: entries one after the other, none across the end of a block, and a checksum's place at
// each block's end. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hostapp {

struct FolderEntry {
  std::string name;
  uint32_t inode = 0;
  uint8_t type = 0;  // EXT2_FT_…
};

// The number of blocks that names take; "." and ".." are counted in.
uint64_t FolderBlocks(const std::vector<std::string>& names);

// `self` and `parent`: inodes. The entries keep their order. In the byte order of this machine, checksums missing.
std::vector<std::string> PackFolder(uint32_t self, uint32_t parent, const std::vector<FolderEntry>& entries);

}  // namespace hostapp
