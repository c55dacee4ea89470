// SPDX-License-Identifier: Apache-2.0
// The fs-verity digest of a file, while its content streams by.
//
// fs-verity is a Merkle tree: the file in blocks of 4096 bytes (the last one filled with zeros), each hashed; the
// hashes, 128 to a block, hashed again, up to one root. The digest is the hash of a descriptor of 256 bytes with that
// root and the file's size (Linux, Documentation/filesystems/fsverity.rst). This is version 1, SHA-256, no salt: what
// composefs stores, and what the kernel measures when the file is opened.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hostapp/base/bytes.h"
#include "hostapp/base/hash.h"

namespace hostapp::composefs {

using Sha256 = std::array<std::byte, 32>;

// Takes content in pieces of any size; after Finish() it begins a new file. Memory: one block a level of the tree.
class FsVerityHasher {
 public:
  void Update(ByteSpan bytes);
  Sha256 Finish();

 private:
  static constexpr size_t kBlock = 4096;
  struct Level {
    std::array<std::byte, kBlock> block;
    size_t used = 0;
  };

  Sha256 HashBlock(ByteSpan full_block);
  void Push(size_t level, const Sha256& hash);

  Hasher hasher_;
  Level data_{};
  std::vector<Level> levels_;  // hashes, the lowest level first
  uint64_t size_ = 0;
};

}  // namespace hostapp::composefs
