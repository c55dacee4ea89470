// SPDX-License-Identifier: Apache-2.0
// A Merkle tree: the file in blocks (the last one filled with zeros), each hashed; the hashes, 128 to a block, hashed
// again, up to one root. The digest is the hash of a descriptor with that root and the file's size.
#include "initramfs/rootfs/fs_verity.h"

#include <errno.h>
#include <linux/fsverity.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "initramfs/rootfs/sha256.h"

namespace hostapp::initramfs {
namespace {

using bootsel::Digest;

constexpr size_t kBlock = 4096;
constexpr size_t kMaxLevels = 8;  // 128^8 blocks: more than a file can have
constexpr size_t kReadBytes = size_t{1} << 20;

struct Level {
  std::array<std::byte, kBlock> block;
  size_t used = 0;

  Digest HashFilledUp() {
    memset(block.data() + used, 0, kBlock - used);
    return Sha256(block);
  }
};

class MerkleTree {
 public:
  void AddBlock(std::span<const std::byte, kBlock> block) { Push(0, Sha256(block)); }
  Digest Root();

 private:
  void Push(size_t level, const Digest& hash);

  std::array<Level, kMaxLevels> levels_;
  size_t count_ = 0;
};

// A level's block is hashed only when one more hash comes after it: a full one that is the level's last may be the
// root.
void MerkleTree::Push(size_t level, const Digest& hash) {
  if (count_ == level) count_++;
  Level& to = levels_[level];
  if (to.used == kBlock) {
    const Digest above = Sha256(to.block);
    to.used = 0;
    Push(level + 1, above);
  }
  memcpy(to.block.data() + to.used, hash.bytes.data(), hash.bytes.size());
  to.used += hash.bytes.size();
}

// One hash alone on the highest level is the root of what is below it; an empty file's is zeros.
Digest MerkleTree::Root() {
  Digest root;
  for (size_t level = 0; level < count_; level++) {
    Level& at = levels_[level];
    if (level + 1 == count_ && at.used == root.bytes.size())
      memcpy(root.bytes.data(), at.block.data(), at.used);
    else
      Push(level + 1, at.HashFilledUp());
  }
  return root;
}

// As much as there is, up to the buffer's end: the tree needs whole blocks.
ssize_t ReadFull(int file, std::span<std::byte> buffer, uint64_t offset) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got =
        pread(file, buffer.data() + filled, buffer.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(filled);
}

bool ReadInto(int file, MerkleTree& tree, uint64_t& size) {
  static std::array<std::byte, kReadBytes> buffer;  // a boot has one thread, and few calls
  for (size = 0;;) {
    const ssize_t got = ReadFull(file, buffer, size);
    if (got < 0) return false;
    const auto bytes = static_cast<size_t>(got);
    const size_t blocks = (bytes + kBlock - 1) / kBlock;
    memset(buffer.data() + bytes, 0, blocks * kBlock - bytes);
    for (size_t i = 0; i < blocks; i++) tree.AddBlock(std::span(buffer).subspan(i * kBlock).first<kBlock>());
    size += bytes;
    if (bytes < kReadBytes) return true;
  }
}

// The layout of struct fsverity_digest, which ends with an array of no size.
struct Measured {
  uint16_t algorithm;
  uint16_t size;
  std::array<uint8_t, 64> bytes;
};
static_assert(offsetof(Measured, bytes) == sizeof(struct fsverity_digest));

// What the kernel says; false where it does not keep one for this file, or one of another kind.
bool Measure(int file, Digest& digest) {
  Measured measured = {};
  measured.size = sizeof measured.bytes;
  if (ioctl(file, FS_IOC_MEASURE_VERITY, &measured) != 0) return false;
  if (measured.algorithm != FS_VERITY_HASH_ALG_SHA256) return false;
  memcpy(digest.bytes.data(), measured.bytes.data(), digest.bytes.size());
  return true;
}

}  // namespace

bool HasFsVerity(int file) {
  Digest digest;
  return Measure(file, digest);
}

bool ComputeFsVerity(int file, Digest& digest) {
  MerkleTree tree;
  uint64_t size = 0;
  if (!ReadInto(file, tree, size)) return false;
  const Digest root = tree.Root();
  std::array<std::byte, 256> descriptor{};
  descriptor[0] = std::byte{1};  // version
  descriptor[1] = std::byte{FS_VERITY_HASH_ALG_SHA256};
  descriptor[2] = std::byte{12};  // log2 of the block size
  for (size_t i = 0; i < 8; i++) descriptor[8 + i] = static_cast<std::byte>(size >> (8 * i));
  memcpy(descriptor.data() + 16, root.bytes.data(), root.bytes.size());
  digest = Sha256(descriptor);
  return true;
}

// A measured digest that differs may be of another block size or salted: reading tells.
bool CheckFsVerity(int file, const Digest& wanted, std::string_view name, Problem& why) {
  Digest digest;
  if (Measure(file, digest) && digest == wanted) return true;
  if (!ComputeFsVerity(file, digest)) return why.IsErrno(errno, "reading ", name);
  if (digest == wanted) return true;
  std::array<char, bootsel::kDigestHexChars> found{};
  std::array<char, bootsel::kDigestHexChars> right{};
  return why.Is(name, ": the digest is ", bootsel::FormatDigest(digest, found), ", not ",
                bootsel::FormatDigest(wanted, right));
}

}  // namespace hostapp::initramfs
