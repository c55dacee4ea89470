// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_index_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ostree-integration/composefs/fs_verity.h"
#include "ostree-integration/store/layer_index_format.h"
#include "ostree-integration/store/ostree_format.h"
#include "tests/support/memory_image.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;

std::shared_ptr<Inode> File(char fill, uint64_t size, uint64_t block) {
  auto inode = std::make_shared<Inode>();
  inode->mode = 04755;
  inode->uid = 1000;
  inode->gid = 4294967294U;
  inode->mtime = 8589934592;
  inode->mtime_nanos = 999'999'999;
  inode->size = size;
  inode->xattrs = {{"user.a", std::string("\0x", 2)}, {"user.b", ""}};
  inode->tar_block = block;
  inode->content.fill(static_cast<std::byte>(fill));
  inode->verity.fill(static_cast<std::byte>(fill + 1));
  inode->object.fill(static_cast<std::byte>(fill + 2));
  return inode;
}

std::shared_ptr<Inode> EmptyFile() {
  auto inode = File(0, 0, 0);
  inode->content = ToSha256(HashOf({}));
  inode->verity = composefs::FsVerityHasher().Finish();
  Hasher hasher;
  HashObjectHeader(*inode, hasher);
  inode->object = ToSha256(hasher.Finish());
  return inode;
}

std::shared_ptr<Inode> Link(std::string target) {
  auto inode = std::make_shared<Inode>();
  inode->type = Inode::Type::kSymlink;
  inode->mode = 0777;
  inode->link_target = std::move(target);
  inode->object = SymlinkObjectId(*inode);
  return inode;
}

std::string Encoded(const LayerIndex& index) {
  const auto encoder = LayerIndexEncoder::Make(index);
  EXPECT_TRUE(encoder.ok());
  StringSink out;
  EXPECT_TRUE(encoder->Write(out).ok());
  EXPECT_EQ(out.text.size(), encoder->size());
  return out.text;
}

LayerIndex Example() {
  LayerIndex index;
  index.diff_id = Digest::Of(AsBytes("tar"));
  index.root = {ImpliedDirectory(), {}};
  const auto file = File('a', 700, 1);
  Node folder{ImpliedDirectory(), {}};
  folder.inode->implied = false;
  folder.children = {{"hard", {file, {}}}, {"link", {Link("../x"), {}}}};
  auto plain = File('c', 5, 8);  // before the file that stands before it
  plain->xattrs.clear();
  plain->mtime = -1;
  index.root.children = {{"d", folder},
                         {"d.x", {EmptyFile(), {}}},
                         {"file", {file, {}}},
                         {"implied", {ImpliedDirectory(), {}}},
                         {"plain", {plain, {}}}};
  index.replaced = {{4, 512, file->object}, {6, 1, plain->object}};
  index.dropped = {{"dev/null", LayerIndex::Reason::kCharDevice}};
  index.tar_bytes = 10'000;
  index.framing_bytes = 10'000 - 700 - 5 - 512 - 1;
  index.framing = "compressed";
  return index;
}

void ExpectEqual(const Node& a, const Node& b) {
  EXPECT_EQ(*a.inode, *b.inode);
  ASSERT_EQ(a.children.size(), b.children.size());
  for (const auto& [name, child] : a.children) {
    ASSERT_TRUE(b.children.contains(name)) << name;
    ExpectEqual(child, b.children.at(name));
  }
}

TEST(LayerIndex, ComesBackAsItWas) {
  const LayerIndex index = Example();
  const std::string bytes = Encoded(index);
  const auto parsed = ParseLayerIndex(AsBytes(bytes));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  EXPECT_EQ(parsed->diff_id, index.diff_id);
  ExpectEqual(parsed->root, index.root);
  EXPECT_EQ(parsed->root.children.at("file").inode, parsed->root.children.at("d").children.at("hard").inode);
  EXPECT_EQ(parsed->replaced, index.replaced);
  EXPECT_EQ(parsed->dropped, index.dropped);
  EXPECT_EQ(parsed->tar_bytes, index.tar_bytes);
  EXPECT_EQ(parsed->framing_bytes, index.framing_bytes);
  EXPECT_EQ(parsed->framing, index.framing);
  EXPECT_EQ(Encoded(*parsed), bytes);
}

TEST(LayerIndex, HasItsPlaceForEveryByte) {
  // What the parser accepts is exactly what the encoder writes: no two readings, no unused bytes.
  const std::string good = Encoded(Example());
  int accepted = 0;
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      const auto parsed = ParseLayerIndex(AsBytes(bad));
      if (!parsed.ok()) {
        EXPECT_EQ(parsed.error().code(), Errc::kCorrupt);
        continue;
      }
      ++accepted;
      EXPECT_EQ(Encoded(*parsed), bad) << "byte " << i;
    }
  }
  EXPECT_GT(accepted, 0);
}

TEST(LayerIndex, RefusesEveryTruncationAndAnythingBehind) {
  const std::string good = Encoded(Example());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(ParseLayerIndex(AsBytes(std::string_view(good).substr(0, size))).ok()) << size;
  }
  EXPECT_FALSE(ParseLayerIndex(AsBytes(good + '\0')).ok());
}

TEST(LayerIndex, LargerThanItsWindowsComesBackAsItWas) {
  LayerIndex index = Example();
  for (size_t i = 0; i < 3000; ++i) {
    auto file = File(static_cast<char>(i), i + 1, 100 + i * 10);
    file->xattrs["user.large"] = std::string(i % 1000 == 0 ? 70'000 : i % 90, 'x');
    index.root.children["d"].children.emplace(StrCat("name", i), Node{file, {}});
    index.framing_bytes -= i + 1;
  }
  index.tar_bytes += 100'000'000;
  index.framing_bytes += 100'000'000;
  const std::string bytes = Encoded(index);
  const auto parsed = ParseLayerIndex(AsBytes(bytes));
  ASSERT_TRUE(parsed.ok()) << parsed.error().message();
  ExpectEqual(parsed->root, index.root);
  EXPECT_EQ(Encoded(*parsed), bytes);
}

TEST(LayerIndex, WhatCannotBeReadIsNotCalledDamaged) {
  const std::string good = Encoded(Example());
  for (size_t end = 0; end < good.size(); end += 7) {
    const auto parsed = ParseLayerIndex(good.size(), [&](uint64_t offset, MutableByteSpan to) -> Status {
      if (offset + to.size() > end) return Error(Errc::kIo, "the disk is gone");
      std::ranges::copy(AsBytes(good).subspan(offset, to.size()), to.begin());
      return Ok();
    });
    ASSERT_FALSE(parsed.ok());
    EXPECT_EQ(parsed.error().message(), "the disk is gone");
  }
}

TEST(LayerIndex, SaysWhichVersionItDoesNotKnow) {
  std::string bytes = Encoded(Example());
  bytes[8] = 1;
  EXPECT_EQ(ParseLayerIndex(AsBytes(bytes)).error().message(),
            "the layer index has version 1, which is not known here; `hostapp fsck --repair` makes it again");
}

TEST(ContentBytes, CountsHardLinksOnce) { EXPECT_EQ(ContentBytes(Example().root), 705U); }

}  // namespace
}  // namespace hostapp
