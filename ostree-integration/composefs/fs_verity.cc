// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/fs_verity.h"

#include <algorithm>
#include <cstring>

namespace hostapp::composefs {

Sha256 FsVerityHasher::HashBlock(ByteSpan full_block) {
  hasher_.Update(full_block);
  const HashValue value = hasher_.Finish();
  Sha256 out;
  std::memcpy(out.data(), value.bytes.data(), out.size());
  return out;
}

// A level's block is hashed only when one more hash comes after it: a full block that is the level's last one may be
// the root block, which is not hashed into a level above.
void FsVerityHasher::Push(size_t level, const Sha256& hash) {
  if (levels_.size() == level) levels_.emplace_back();
  if (levels_[level].used == kBlock) {
    const Sha256 above = HashBlock(levels_[level].block);
    levels_[level].used = 0;
    Push(level + 1, above);
  }
  Level& to = levels_[level];
  std::memcpy(to.block.data() + to.used, hash.data(), hash.size());
  to.used += hash.size();
}

void FsVerityHasher::Update(ByteSpan bytes) {
  size_ += bytes.size();
  while (!bytes.empty()) {
    if (data_.used == 0 && bytes.size() >= kBlock) {
      Push(0, HashBlock(bytes.first(kBlock)));
      bytes = bytes.subspan(kBlock);
      continue;
    }
    const size_t take = std::min(kBlock - data_.used, bytes.size());
    std::memcpy(data_.block.data() + data_.used, bytes.data(), take);
    data_.used += take;
    bytes = bytes.subspan(take);
    if (data_.used < kBlock) continue;
    Push(0, HashBlock(data_.block));
    data_.used = 0;
  }
}

Sha256 FsVerityHasher::Finish() {
  if (data_.used > 0) {
    std::fill(data_.block.begin() + static_cast<ptrdiff_t>(data_.used), data_.block.end(), std::byte{0});
    Push(0, HashBlock(data_.block));
  }
  Sha256 root{};  // of an empty file: zeros
  for (size_t level = 0; level < levels_.size(); ++level) {
    Level& at = levels_[level];
    // One hash alone on its level is the root of what is below it: a file of one block has no tree.
    if (level + 1 == levels_.size() && at.used == root.size()) {
      std::memcpy(root.data(), at.block.data(), root.size());
      break;
    }
    std::fill(at.block.begin() + static_cast<ptrdiff_t>(at.used), at.block.end(), std::byte{0});
    Push(level + 1, HashBlock(at.block));
  }
  std::array<std::byte, 256> descriptor{};
  descriptor[0] = std::byte{1};   // version
  descriptor[1] = std::byte{1};   // SHA-256
  descriptor[2] = std::byte{12};  // log2 of the block size
  for (size_t i = 0; i < 8; ++i) descriptor[8 + i] = static_cast<std::byte>(size_ >> (8 * i));
  std::memcpy(descriptor.data() + 16, root.data(), root.size());
  const Sha256 digest = HashBlock(descriptor);
  data_.used = 0;
  levels_.clear();
  size_ = 0;
  return digest;
}

}  // namespace hostapp::composefs
