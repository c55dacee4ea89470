// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/tree.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "hostapp/base/strings.h"

namespace hostapp::composefs {
namespace {

constexpr Metadata kPlain{.mode = 0644, .mtime = 1700000000};

Tree EmptyTree() { return Tree::Create({.mode = 0755, .mtime = 1700000000}).value(); }

struct BadTree {
  std::string message;
  std::function<Status(Tree&)> add;
};

Status AddNamed(Tree& tree, std::string_view name) {
  return tree.AddInlineFile(Tree::kRoot, name, kPlain, "").status();
}

Status AddWith(Tree& tree, const Metadata& metadata) {
  return tree.AddInlineFile(Tree::kRoot, "f", metadata, "").status();
}

Status AddWithXattrs(Tree& tree, std::span<const Xattr> xattrs) {
  return AddWith(tree, {.mode = 0644, .xattrs = xattrs});
}

std::vector<BadTree> BadTrees() {
  using namespace std::string_literals;
  return {
      {"/: a name is empty", [](Tree& tree) { return AddNamed(tree, ""); }},
      {"/.: no file can have that name", [](Tree& tree) { return AddNamed(tree, "."); }},
      {"/..: no file can have that name", [](Tree& tree) { return AddNamed(tree, ".."); }},
      {"/a/b: a name has a slash in it", [](Tree& tree) { return AddNamed(tree, "a/b"); }},
      {"/a\\x00b: a name has a zero byte in it", [](Tree& tree) { return AddNamed(tree, "a\0b"s); }},
      {"/" + std::string(255, 'n') + ": a name of 256 bytes, more than 255",
       [](Tree& tree) { return AddNamed(tree, std::string(256, 'n')); }},
      {"/f: a mode beyond 07777", [](Tree& tree) { return AddWith(tree, {.mode = 010000}); }},
      {"/f: 1000000000 nanoseconds", [](Tree& tree) { return AddWith(tree, {.mtime_nanos = 1000000000}); }},
      {"/f: a symbolic link without a target",
       [](Tree& tree) { return tree.AddSymlink(Tree::kRoot, "f", kPlain, "").status(); }},
      {"/f: a symbolic link's target of 4096 bytes, more than 4095",
       [](Tree& tree) { return tree.AddSymlink(Tree::kRoot, "f", kPlain, std::string(4096, 't')).status(); }},
      {"/f: a symbolic link's target has a zero byte in it",
       [](Tree& tree) { return tree.AddSymlink(Tree::kRoot, "f", kPlain, "a\0b"s).status(); }},
      {"/f: content of 5001 bytes in the image, more than 5000",
       [](Tree& tree) { return tree.AddInlineFile(Tree::kRoot, "f", kPlain, std::string(5001, 'c')).status(); }},
      {"/f: a file of 9007199254740993 bytes, more than 2^53",
       [](Tree& tree) { return tree.AddFile(Tree::kRoot, "f", kPlain, {.size = kMaxFileBytes + 1}).status(); }},
      {"/f: a file of 18446744073709551615 bytes, more than 2^53",
       [](Tree& tree) { return tree.AddFile(Tree::kRoot, "f", kPlain, {.size = UINT64_MAX}).status(); }},
      {"/f: an absolute path in the store",
       [](Tree& tree) { return tree.AddFile(Tree::kRoot, "f", kPlain, {.size = 1, .path = "/a"}).status(); }},
      {"/f: a path in the store has a zero byte in it",
       [](Tree& tree) { return tree.AddFile(Tree::kRoot, "f", kPlain, {.size = 1, .path = "a\0b"s}).status(); }},
      {"/f: no device can be 4096:0",
       [](Tree& tree) { return tree.AddDevice(Tree::kRoot, "f", kPlain, {.major = 4096}).status(); }},
      {"/f: no device can be 0:1048576",
       [](Tree& tree) { return tree.AddDevice(Tree::kRoot, "f", kPlain, {.minor = 1U << 20}).status(); }},
      {"/f: a hard link to a folder", [](Tree& tree) { return tree.AddHardLink(Tree::kRoot, "f", Tree::kRoot); }},
      {"/f: an extended attribute without a name",
       [](Tree& tree) {
         return AddWithXattrs(tree, std::vector<Xattr>{{"", "v"}});
       }},
      {"/f: an extended attribute's name of 256 bytes, more than 255",
       [](Tree& tree) {
         return AddWithXattrs(tree, std::vector<Xattr>{{std::string(256, 'x'), "v"}});
       }},
      {"/f: an extended attribute's name has a zero byte in it",
       [](Tree& tree) {
         return AddWithXattrs(tree, std::vector<Xattr>{{"user.\0"s, "v"}});
       }},
      {"/f: user.a: a value of 65536 bytes, more than 65535",
       [](Tree& tree) {
         return AddWithXattrs(tree, std::vector<Xattr>{{"user.a", std::string(65536, 'v')}});
       }},
      {"/f: extended attributes of more than 32767 bytes",
       [](Tree& tree) {
         return AddWithXattrs(tree, std::vector<Xattr>{{"user.a", std::string(32743, 'v')}});
       }},
      {"/f: extended attribute user.a twice",
       [](Tree& tree) {
         return AddWithXattrs(tree, std::vector<Xattr>{{"user.a", "1"}, {"user.b", ""}, {"user.a", "2"}});
       }},
  };
}

TEST(Tree, RefusesWhatNoImageCanHaveAndSaysWhere) {
  for (const BadTree& bad : BadTrees()) {
    Tree tree = EmptyTree();
    const Status status = bad.add(tree);
    ASSERT_FALSE(status.ok()) << bad.message;
    EXPECT_EQ(status.error().message(), bad.message);
    EXPECT_EQ(status.error().code(), Errc::kCorrupt) << bad.message;
    EXPECT_EQ(tree.data().entries.size(), EmptyTree().data().entries.size()) << bad.message;
  }
}

TEST(Tree, RefusesARootThatNoImageCanHave) {
  const auto tree = Tree::Create({.mode = 010000});
  ASSERT_FALSE(tree.ok());
  EXPECT_EQ(tree.error().message(), "/: a mode beyond 07777");
}

TEST(Tree, TakesWhatIsJustWithinTheLimits) {
  Tree tree = EmptyTree();
  EXPECT_TRUE(AddNamed(tree, std::string(255, 'n')).ok());
  EXPECT_TRUE(AddNamed(tree, "...").ok());
  EXPECT_TRUE(AddNamed(tree, "\xff\n").ok());
  EXPECT_TRUE(tree.AddSymlink(Tree::kRoot, "s", kPlain, std::string(4095, 't')).ok());
  EXPECT_TRUE(tree.AddInlineFile(Tree::kRoot, "c", kPlain, std::string(5000, 'c')).ok());
  EXPECT_TRUE(tree.AddFile(Tree::kRoot, "b", kPlain, {.size = kMaxFileBytes}).ok());
  EXPECT_TRUE(tree.AddDevice(Tree::kRoot, "d", kPlain, {.major = 4095, .minor = (1U << 20) - 1}).ok());
  EXPECT_TRUE(AddWithXattrs(tree, std::vector<Xattr>{{"user.a", std::string(32742, 'v')}}).ok());
  EXPECT_TRUE(tree.AddInlineFile(Tree::kRoot, "m", {.mtime = std::numeric_limits<int64_t>::min()}, "").ok());
}

TEST(Tree, NamesTheWholePathOfWhatItRefuses) {
  Tree tree = EmptyTree();
  const auto usr = tree.AddFolder(Tree::kRoot, "usr", kPlain);
  const auto odd = tree.AddFolder(*usr, "a\nb", kPlain);
  const auto status = tree.AddSymlink(*odd, "link", kPlain, "").status();
  EXPECT_EQ(status.error().message(), "/usr/a\\x0ab/link: a symbolic link without a target");
}

TEST(Tree, CountsLinksUnlessTheyAreGiven) {
  Tree tree = EmptyTree();
  const auto counted = tree.AddInlineFile(Tree::kRoot, "a", kPlain, "");
  const auto given = tree.AddInlineFile(Tree::kRoot, "b", {.links = 7}, "");
  ASSERT_TRUE(tree.AddHardLink(Tree::kRoot, "c", *counted).ok());
  ASSERT_TRUE(tree.AddHardLink(Tree::kRoot, "d", *given).ok());
  EXPECT_EQ(tree.data().inodes[static_cast<uint32_t>(*counted)].links, 2U);
  EXPECT_EQ(tree.data().inodes[static_cast<uint32_t>(*given)].links, 7U);
}

TEST(Tree, KeepsAnAttributeOfThousandsOfFilesOnce) {
  Tree tree = EmptyTree();
  const Xattr label[] = {{"security.selinux", "system_u:object_r:usr_t:s0"}};
  const size_t before = tree.data().xattrs.size();
  for (int i = 0; i < 1000; ++i)
    ASSERT_TRUE(tree.AddInlineFile(Tree::kRoot, StrCat("f", i), {.xattrs = label}, "").ok());
  EXPECT_EQ(tree.data().xattrs.size(), before + 1);
}

}  // namespace
}  // namespace hostapp::composefs
