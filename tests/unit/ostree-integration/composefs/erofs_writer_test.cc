// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/erofs_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/composefs/layout.h"

namespace hostapp::composefs {
namespace {

constexpr Metadata kFolder{.mode = 0755, .mtime = 1700000000};
constexpr Metadata kPlain{.mode = 0644, .mtime = 1700000000};

class FullSink : public ByteSink {
 public:
  Status Write(ByteSpan) override {
    ++writes;
    return Error(Errc::kNoSpace, "no space left");
  }
  int writes = 0;
};

Tree EmptyTree() { return Tree::Create(kFolder).value(); }

std::string ImageOf(const Tree& tree, FormatVersion version = FormatVersion::kV1) {
  StringSink sink;
  const auto image = WriteImage(tree, version, sink);
  return image.ok() ? sink.text : image.error().message();
}

uint64_t NumberAt(const std::string& image, size_t at, size_t bytes) {
  uint64_t value = 0;
  for (size_t i = bytes; i-- > 0;) value = value << 8 | static_cast<uint8_t>(image.at(at + i));
  return value;
}
uint64_t InodesIn(const std::string& image) { return NumberAt(image, 1024 + 16, 8); }

// Names of an inode's attributes as its image has them.
std::vector<std::string> XattrNames(const Tree& tree, Tree::Id file, FormatVersion version = FormatVersion::kV1) {
  const Layout layout = Layout::Of(tree.data(), version).value();
  std::vector<std::string> names;
  for (const XattrTable::Id xattr : layout.XattrsOf(static_cast<uint32_t>(file)))
    names.emplace_back(tree.data().xattrs.FullName(xattr));
  return names;
}

TEST(WriteImage, SaysHowManyBytesItWroteAndTheirDigest) {
  Tree tree = EmptyTree();
  ASSERT_TRUE(tree.AddInlineFile(Tree::kRoot, "file", kPlain, std::string(3000, 'x')).ok());
  StringSink sink;
  const auto image = WriteImage(tree, FormatVersion::kV1, sink);
  ASSERT_TRUE(image.ok());
  FsVerityHasher hasher;
  hasher.Update(AsBytes(sink.text));
  EXPECT_EQ(image->digest, hasher.Finish());
  EXPECT_EQ(image->bytes, sink.text.size());
  EXPECT_EQ(sink.text.size() % 4096, 0U);
}

// Three levels of folders with files of the store in them, added in the order given.
std::string ImageOfNamesIn(const std::vector<int>& order) {
  Tree tree = EmptyTree();
  std::vector<Tree::Id> folders;
  for (int i = 0; i < 10; ++i) {
    const Xattr number[] = {{"user.number", "shared"}};
    Metadata metadata = kFolder;
    metadata.xattrs = number;
    folders.push_back(tree.AddFolder(Tree::kRoot, StrCat("folder", i), metadata).value());
  }
  for (const int i : order) {
    const std::string path = StrCat("path/", i % 50);
    const Backing backing{.size = static_cast<uint64_t>(i + 1), .path = path};
    EXPECT_TRUE(tree.AddFile(folders[static_cast<size_t>(i) % 10], StrCat("file", i), kPlain, backing).ok());
  }
  return ImageOf(tree);
}

TEST(WriteImage, DoesNotDependOnTheOrderInWhichNamesCome) {
  std::vector<int> order(1000);
  std::iota(order.begin(), order.end(), 0);
  const std::string sorted = ImageOfNamesIn(order);
  std::mt19937 random(1);
  for (int run = 0; run < 3; ++run) {
    std::shuffle(order.begin(), order.end(), random);
    EXPECT_EQ(ImageOfNamesIn(order), sorted);
  }
}

TEST(WriteImage, LeavesTheTreeAsItIs) {
  Tree tree = EmptyTree();
  ASSERT_TRUE(tree.AddDevice(Tree::kRoot, "whiteout", kPlain, {}).ok());
  const std::string once = ImageOf(tree, FormatVersion::kV1);
  EXPECT_NE(ImageOf(tree, FormatVersion::kV0), once);
  EXPECT_EQ(ImageOf(tree, FormatVersion::kV1), once);
}

TEST(WriteImage, RefusesANameThatIsTwiceInAFolder) {
  Tree tree = EmptyTree();
  const Tree::Id usr = tree.AddFolder(Tree::kRoot, "usr", kFolder).value();
  const Tree::Id file = tree.AddInlineFile(usr, "same", kPlain, "").value();
  ASSERT_TRUE(tree.AddInlineFile(Tree::kRoot, "same", kPlain, "").ok());
  StringSink sink;
  ASSERT_TRUE(WriteImage(tree, FormatVersion::kV1, sink).ok());
  ASSERT_TRUE(tree.AddHardLink(usr, "same", file).ok());
  StringSink second;
  const auto image = WriteImage(tree, FormatVersion::kV1, second);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().message(), "/usr/same: twice in the tree");
  EXPECT_EQ(image.error().code(), Errc::kCorrupt);
  EXPECT_EQ(second.text, "");
}

TEST(WriteImage, RefusesANameOfTheStoreThatIsTwiceInTheRoot) {
  Tree tree = EmptyTree();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(tree.AddInlineFile(Tree::kRoot, "7f", kPlain, "").ok());
  EXPECT_EQ(ImageOf(tree), "/7f: twice in the tree");
}

TEST(WriteImage, HidesTheStoresFoldersUnlessTheTreeHasSuchANameItself) {
  Tree tree = EmptyTree();
  EXPECT_EQ(InodesIn(ImageOf(tree)), 257U);
  const Tree::Id folder = tree.AddFolder(Tree::kRoot, "7f", kFolder).value();
  EXPECT_EQ(InodesIn(ImageOf(tree)), 257U);
  ASSERT_TRUE(tree.AddInlineFile(folder, "80", kPlain, "").ok());
  EXPECT_EQ(InodesIn(ImageOf(tree)), 258U);
  const Tree::Id file = tree.AddInlineFile(Tree::kRoot, "file", kPlain, "").value();
  ASSERT_TRUE(tree.AddHardLink(Tree::kRoot, "ff", file).ok());
  EXPECT_EQ(InodesIn(ImageOf(tree)), 258U);
}

TEST(WriteImage, HasOneInodeForAllNamesOfAFile) {
  Tree tree = EmptyTree();
  const Tree::Id file = tree.AddInlineFile(Tree::kRoot, "a", kPlain, "x").value();
  const uint64_t before = InodesIn(ImageOf(tree));
  for (int i = 0; i < 70000; ++i) ASSERT_TRUE(tree.AddHardLink(Tree::kRoot, StrCat("link", i), file).ok());
  EXPECT_EQ(InodesIn(ImageOf(tree)), before);
  EXPECT_EQ(tree.data().inodes[static_cast<uint32_t>(file)].links, 70001U);
}

TEST(WriteImage, StopsAtTheSinksFirstErrorAndReturnsIt) {
  Tree tree = EmptyTree();
  for (int i = 0; i < 10000; ++i) ASSERT_TRUE(tree.AddInlineFile(Tree::kRoot, StrCat("f", i), kPlain, "x").ok());
  FullSink sink;
  const auto image = WriteImage(tree, FormatVersion::kV1, sink);
  ASSERT_FALSE(image.ok());
  EXPECT_EQ(image.error().code(), Errc::kNoSpace);
  EXPECT_EQ(sink.writes, 1);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(__clang__)
constexpr uint32_t kNames = 100000;  // the sanitizers take a minute for the million
#else
constexpr uint32_t kNames = 1000000;
#endif

TEST(WriteImage, TakesAMillionNamesInOneFolder) {
  Tree tree = EmptyTree();
  const Tree::Id folder = tree.AddFolder(Tree::kRoot, "many", kFolder).value();
  for (uint64_t i = 0; i < kNames; ++i)  // in no order
    ASSERT_TRUE(tree.AddSpecial(folder, StrCat(i * 7919 % kNames), kPlain, SpecialType::kFifo).ok());
  EXPECT_EQ(InodesIn(ImageOf(tree)), kNames + 258);
}

TEST(WriteImage, SaysItsVersionAndWhetherThereAreAccessControlLists) {
  Tree tree = EmptyTree();
  EXPECT_EQ(NumberAt(ImageOf(tree, FormatVersion::kV0), 12, 4), 0U);
  EXPECT_EQ(NumberAt(ImageOf(tree, FormatVersion::kV1), 12, 4), 1U);
  EXPECT_EQ(NumberAt(ImageOf(tree), 8, 4), 0U);
  const Xattr acl[] = {{"system.posix_acl_default", "acl"}};
  ASSERT_TRUE(tree.AddFolder(Tree::kRoot, "folder", {.mode = 0755, .xattrs = acl}).ok());
  EXPECT_EQ(NumberAt(ImageOf(tree), 8, 4), 1U);
}

TEST(WriteImage, NeedsTheNewVersionForWhiteoutsOnly) {
  Tree tree = EmptyTree();
  ASSERT_TRUE(tree.AddDevice(Tree::kRoot, "null", kPlain, {.major = 1, .minor = 3}).ok());
  ASSERT_TRUE(tree.AddDevice(Tree::kRoot, "block", kPlain, {.type = DeviceType::kBlock}).ok());
  EXPECT_EQ(OldestFormat(tree), FormatVersion::kV0);
  ASSERT_TRUE(tree.AddDevice(Tree::kRoot, "whiteout", kPlain, {}).ok());
  EXPECT_EQ(OldestFormat(tree), FormatVersion::kV1);
}

TEST(WriteImage, EscapesWhatOverlayfsWouldTakeForItsOwn) {
  using Names = std::vector<std::string>;
  Tree tree = EmptyTree();
  const Xattr given[] = {{"trusted.overlay.redirect", "mine"}, {"trusted.overlayfs", ""}, {"user.overlay.opaque", "y"}};
  const Tree::Id file = tree.AddFile(Tree::kRoot, "file", {.xattrs = given}, {.size = 1, .path = "a"}).value();
  EXPECT_EQ(XattrNames(tree, file), (Names{"trusted.overlay.metacopy", "trusted.overlay.overlay.redirect",
                                           "trusted.overlay.redirect", "trusted.overlayfs", "user.overlay.opaque"}));
  EXPECT_EQ(XattrNames(tree, Tree::kRoot), Names{"trusted.overlay.opaque"});
}

TEST(WriteImage, MarksWhiteoutsAndTheirFolderInThePlaceOfWhatTheyHad) {
  using Names = std::vector<std::string>;
  Tree tree = EmptyTree();
  const Xattr opaque[] = {{"trusted.overlay.opaque", "y"}};
  const Tree::Id folder = tree.AddFolder(Tree::kRoot, "folder", {.mode = 0755, .xattrs = opaque}).value();
  const Xattr user[] = {{"user.overlay.whiteout", "given"}};
  const Tree::Id whiteout = tree.AddDevice(folder, "gone", {.xattrs = user}, {}).value();
  EXPECT_EQ(XattrNames(tree, whiteout), (Names{"trusted.overlay.overlay.whiteout", "user.overlay.whiteout"}));
  EXPECT_EQ(XattrNames(tree, folder, FormatVersion::kV0),
            (Names{"trusted.overlay.overlay.opaque", "trusted.overlay.overlay.whiteouts", "user.overlay.whiteouts"}));
  EXPECT_EQ(XattrNames(tree, folder, FormatVersion::kV1),
            (Names{"trusted.overlay.overlay.opaque", "trusted.overlay.overlay.whiteouts", "user.overlay.opaque",
                   "user.overlay.whiteouts"}));
}

}  // namespace
}  // namespace hostapp::composefs
