// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/ext4_folder.h"

#include <cstring>

namespace hostapp {
namespace {

constexpr size_t kBlockBytes = 4096;
constexpr size_t kTailBytes = 12;
constexpr size_t kUsableBytes = kBlockBytes - kTailBytes;
constexpr size_t kEntryHeadBytes = 8;
constexpr uint8_t kFolderType = 2;

size_t EntryBytes(size_t name_bytes) { return (kEntryHeadBytes + name_bytes + 3) / 4 * 4; }

template <typename T>
void PutAt(std::string& block, size_t at, T value) {
  std::memcpy(block.data() + at, &value, sizeof value);
}

// Adds entries to the last block, or to a new one.
class Packer {
 public:
  void Add(const FolderEntry& entry) {
    const size_t bytes = EntryBytes(entry.name.size());
    if (blocks_.empty() || used_ + bytes > kUsableBytes) NextBlock();
    std::string& block = blocks_.back();
    last_ = used_;
    PutAt(block, used_, entry.inode);
    PutAt(block, used_ + 4, static_cast<uint16_t>(bytes));
    PutAt(block, used_ + 6, static_cast<uint8_t>(entry.name.size()));
    PutAt(block, used_ + 7, entry.type);
    entry.name.copy(block.data() + used_ + kEntryHeadBytes, entry.name.size());
    used_ += bytes;
  }
  std::vector<std::string> Finish() {
    EndBlock();
    return std::move(blocks_);
  }

 private:
  // The last entry of a block reaches to its end.
  void EndBlock() {
    if (!blocks_.empty()) PutAt(blocks_.back(), last_ + 4, static_cast<uint16_t>(kUsableBytes - last_));
  }
  void NextBlock() {
    EndBlock();
    blocks_.emplace_back(kBlockBytes, '\0');
    used_ = 0;
  }

  std::vector<std::string> blocks_;
  size_t used_ = 0;
  size_t last_ = 0;
};

}  // namespace

uint64_t FolderBlocks(const std::vector<std::string>& names) {
  uint64_t blocks = 1;
  size_t used = EntryBytes(1) + EntryBytes(2);
  for (const std::string& name : names) {
    const size_t bytes = EntryBytes(name.size());
    if (used + bytes > kUsableBytes) {
      ++blocks;
      used = 0;
    }
    used += bytes;
  }
  return blocks;
}

std::vector<std::string> PackFolder(uint32_t self, uint32_t parent, const std::vector<FolderEntry>& entries) {
  Packer packer;
  packer.Add({.name = ".", .inode = self, .type = kFolderType});
  packer.Add({.name = "..", .inode = parent, .type = kFolderType});
  for (const FolderEntry& entry : entries) packer.Add(entry);
  return packer.Finish();
}

}  // namespace hostapp
