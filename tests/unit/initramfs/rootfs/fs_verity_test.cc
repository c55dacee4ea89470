// SPDX-License-Identifier: Apache-2.0
// Digests against libcrypto's, and against those that images are made with.
#include "initramfs/rootfs/fs_verity.h"

#include <unistd.h>

#include <vector>

#include "hostapp/base/hash.h"
#include "initramfs/rootfs/sha256.h"
#include "ostree-integration/composefs/fs_verity.h"
#include "tests/unit/initramfs/helper/temp_tree.h"

namespace hostapp::initramfs {
namespace {

std::string Bytes(size_t size) {
  std::string bytes(size, '\0');
  uint32_t state = 1;
  for (char& byte : bytes) byte = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

std::string Hex(const bootsel::Digest& digest) {
  std::array<char, bootsel::kDigestHexChars> text{};
  return std::string(bootsel::FormatDigest(digest, text));
}

TEST(Sha256, IsLibcryptosForEveryLengthOfThreeBlocks) {
  const std::string bytes = Bytes(200);
  for (size_t size = 0; size <= bytes.size(); size++) {
    const auto part = std::as_bytes(std::span(bytes)).first(size);
    Hasher hasher;
    hasher.Update(part);
    ASSERT_EQ(Hex(Sha256(part)), hasher.Finish().Hex()) << size << " bytes";
  }
}

class FsVerityTest : public testing::Test {
 protected:
  Fd Open(const std::string& content) {
    tree_.File("file", content);
    return OpenAt(tree_.fd(), "file", O_RDONLY);
  }
  static bootsel::Digest Expected(const std::string& content) {
    composefs::FsVerityHasher hasher;
    hasher.Update(std::as_bytes(std::span(content)));
    const composefs::Sha256 value = hasher.Finish();
    bootsel::Digest digest;
    memcpy(digest.bytes.data(), value.data(), value.size());
    return digest;
  }
  TempTree tree_;
  Problem why_;
};

TEST_F(FsVerityTest, IsTheDigestThatImagesAreMadeWith) {
  const size_t block = 4096;
  for (const size_t size : {size_t{0}, size_t{1}, block - 1, block, block + 1, 2 * block, 128 * block, 128 * block + 1,
                            129 * block, 256 * block - 1, 256 * block, 256 * block + 1, 128 * 128 * block + 1}) {
    const std::string content = Bytes(size);
    bootsel::Digest digest;
    ASSERT_TRUE(ComputeFsVerity(Open(content).get(), digest));
    EXPECT_EQ(Hex(digest), Hex(Expected(content))) << size << " bytes";
  }
}

TEST_F(FsVerityTest, AcceptsTheFileAndNoOther) {
  std::string content = Bytes(10000);
  const bootsel::Digest digest = Expected(content);
  EXPECT_TRUE(CheckFsVerity(Open(content).get(), digest, "root.cfs", why_)) << why_.text();
  content[9999] = static_cast<char>(content[9999] ^ 1);
  EXPECT_FALSE(CheckFsVerity(Open(content).get(), digest, "root.cfs", why_));
  EXPECT_EQ(why_.text(), "root.cfs: the digest is " + Hex(Expected(content)) + ", not " + Hex(digest));
  content.pop_back();
  EXPECT_FALSE(CheckFsVerity(Open(content).get(), digest, "root.cfs", why_));
}

// Of what the kernel is to mount, no bit is left to chance: whatever is flipped, the file is refused before.
TEST_F(FsVerityTest, RefusesTheFileWithAnyBitFlipped) {
  const std::string content = Bytes(4200);
  const bootsel::Digest digest = Expected(content);
  tree_.File("file", content);
  const Fd file = OpenAt(tree_.fd(), "file", O_RDWR);
  for (size_t i = 0; i < content.size(); i++) {
    for (int bit = 0; bit < 8; bit++) {
      const char flipped = static_cast<char>(content[i] ^ 1 << bit);
      ASSERT_EQ(pwrite(file.get(), &flipped, 1, static_cast<off_t>(i)), 1);
      ASSERT_FALSE(CheckFsVerity(file.get(), digest, "root.cfs", why_)) << "byte " << i << ", bit " << bit;
    }
    ASSERT_EQ(pwrite(file.get(), &content[i], 1, static_cast<off_t>(i)), 1);
  }
  EXPECT_TRUE(CheckFsVerity(file.get(), digest, "root.cfs", why_)) << why_.text();
}

TEST_F(FsVerityTest, RefusesWhatCannotBeRead) {
  EXPECT_FALSE(CheckFsVerity(tree_.fd(), Expected(""), "root.cfs", why_));
  EXPECT_EQ(why_.text(), "reading root.cfs: Is a directory");
}

}  // namespace
}  // namespace hostapp::initramfs
