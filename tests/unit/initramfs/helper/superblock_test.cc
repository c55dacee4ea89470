// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/superblock.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "initramfs/helper/root_device.h"

namespace hostapp::initramfs {
namespace {

using Bytes = std::vector<std::byte>;

void Put(Bytes& bytes, size_t at, std::string_view text) {
  for (size_t i = 0; i < text.size(); i++) bytes[at + i] = static_cast<std::byte>(text[i]);
}

constexpr std::string_view kUuidBytes("\x5d\x3a\x1f\x0e\x8c\x44\x4f\x0a\x9d\x21\x0c\x6b\x7e\x5a\x9f\x31", 16);
constexpr const char* kUuid = "5d3a1f0e-8c44-4f0a-9d21-0c6b7e5a9f31";

struct Sample {
  const char* type;
  Bytes head = Bytes(kSuperblockHeadBytes);
  Bytes btrfs = Bytes(kBtrfsBytes);
};

std::vector<Sample> Samples() {
  Sample ext4{.type = "ext4"};
  Put(ext4.head, 1024 + 0x38, "\x53\xef");
  Put(ext4.head, 1024 + 0x68, kUuidBytes);
  Put(ext4.head, 1024 + 0x78, "sixteen-byte-tag");
  Sample xfs{.type = "xfs"};
  Put(xfs.head, 0, "XFSB");
  Put(xfs.head, 32, kUuidBytes);
  Put(xfs.head, 108, "sixteen-byte");
  Sample btrfs{.type = "btrfs"};
  Put(btrfs.btrfs, 0x40, "_BHRfS_M");
  Put(btrfs.btrfs, 0x20, kUuidBytes);
  Put(btrfs.btrfs, 0x12b, "sixteen");
  return {ext4, xfs, btrfs};
}

TEST(ParseSuperblock, ReadsTypeUuidAndLabel) {
  const char* kLabels[] = {"sixteen-byte-tag", "sixteen-byte", "sixteen"};
  size_t i = 0;
  for (const Sample& sample : Samples()) {
    const Superblock found = ParseSuperblock(sample.head, sample.btrfs);
    EXPECT_EQ(found.type, sample.type);
    EXPECT_TRUE(found.mountable);
    EXPECT_EQ(found.uuid.view(), kUuid) << sample.type;
    EXPECT_EQ(found.label.view(), kLabels[i++]);
  }
}

TEST(ParseSuperblock, ReadsNothingBeyondAShortDevice) {
  for (const Sample& sample : Samples()) {
    for (size_t size = 0; size < 2048; size += 7) {
      const Superblock found = ParseSuperblock(std::span(sample.head).first(size), {});
      EXPECT_TRUE(found.type.empty() || !found.uuid.empty()) << sample.type << " " << size;
    }
  }
}

TEST(ParseSuperblock, NamesWhatItDoesNotOpen) {
  Bytes luks(kSuperblockHeadBytes);
  Put(luks, 0, "LUKS\xba\xbe");
  EXPECT_EQ(ParseSuperblock(luks, {}).type, "LUKS");
  EXPECT_FALSE(ParseSuperblock(luks, {}).mountable);
  EXPECT_EQ(ParseSuperblock(Bytes(kSuperblockHeadBytes), Bytes(kBtrfsBytes)).type, "");
}

Bytes GptHeader(uint8_t entries, uint8_t entry_bytes) {
  Bytes header(512);
  Put(header, 0, "EFI PART");
  header[72] = std::byte{2};
  header[80] = std::byte{entries};
  header[84] = std::byte{entry_bytes};
  return header;
}

TEST(GptEntryOffset, FindsTheEntryInEitherSizeOfBlocks) {
  EXPECT_EQ(GptEntryOffset(GptHeader(128, 128), 512, 1), 1024U);
  EXPECT_EQ(GptEntryOffset(GptHeader(128, 128), 4096, 3), 8192U + 256U);
}

TEST(GptEntryOffset, RefusesWhatIsNoHeaderOrHasNoSuchEntry) {
  EXPECT_EQ(GptEntryOffset(GptHeader(4, 128), 512, 5), 0U);
  EXPECT_EQ(GptEntryOffset(GptHeader(4, 128), 512, 0), 0U);
  EXPECT_EQ(GptEntryOffset(GptHeader(4, 64), 512, 1), 0U);
  EXPECT_EQ(GptEntryOffset(Bytes(512), 512, 1), 0U);
  EXPECT_EQ(GptEntryOffset({}, 512, 1), 0U);
  Bytes far = GptHeader(4, 128);
  Put(far, 72, "\xff\xff\xff\xff\xff\xff\xff\xff");
  EXPECT_EQ(GptEntryOffset(far, 512, 1), 0U);
}

TEST(GptPartUuid, WritesTheFirstThreeGroupsLittleEndian) {
  Bytes entry(128);
  Put(entry, 16, std::string_view("\x2c\x6d\x1b\x8a\xf3\x41\x9e\x4a\xb7\xc5\x2f\x9d\x0e\x63\xc4\x17", 16));
  Put(entry, 56, std::string_view("s\0y\0s\0\xe4\0", 8));
  EXPECT_EQ(GptPartUuid(entry).view(), "8a1b6d2c-41f3-4a9e-b7c5-2f9d0e63c417");
  EXPECT_EQ(GptPartLabel(entry).view(), "sys?");
}

TEST(MbrPartUuid, IsTheDisksSignatureAndTheNumber) {
  Bytes first(512);
  Put(first, 440, "\x78\x56\x34\x12");
  EXPECT_EQ(MbrPartUuid(first, 2).view(), "");
  Put(first, 510, "\x55\xaa");
  EXPECT_EQ(MbrPartUuid(first, 2).view(), "12345678-02");
  EXPECT_EQ(MbrPartUuid(first, 31).view(), "12345678-1f");
  EXPECT_EQ(MbrPartUuid(first, 0).view(), "");
}

TEST(ParseRoot, UnderstandsEveryWayToNameARoot) {
  struct Case {
    const char* text;
    RootBy by;
    const char* value;
  };
  const Case kCases[] = {
      {"UUID=a-b", RootBy::kUuid, "a-b"},
      {"LABEL=x y", RootBy::kLabel, "x y"},
      {"PARTUUID=1-02", RootBy::kPartUuid, "1-02"},
      {"PARTLABEL=root", RootBy::kPartLabel, "root"},
      {"/dev/disk/by-uuid/a", RootBy::kUuid, "a"},
      {"/dev/disk/by-label/a", RootBy::kLabel, "a"},
      {"/dev/disk/by-partuuid/a", RootBy::kPartUuid, "a"},
      {"/dev/disk/by-partlabel/a", RootBy::kPartLabel, "a"},
      {"/dev/vda1", RootBy::kDevice, "/dev/vda1"},
      {"", RootBy::kNothing, ""},
      {"UUID=", RootBy::kNothing, ""},
      {"/dev/", RootBy::kNothing, ""},
      {"vda1", RootBy::kNothing, ""},
      {"8:1", RootBy::kNothing, ""},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(ParseRoot(c.text).by, c.by) << c.text;
    EXPECT_EQ(ParseRoot(c.text).value, c.value) << c.text;
  }
}

}  // namespace
}  // namespace hostapp::initramfs
