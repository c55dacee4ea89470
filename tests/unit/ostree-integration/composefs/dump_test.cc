// SPDX-License-Identifier: Apache-2.0
// A dump that is understood wrongly would make the digests beside the reference's worthless.
#include <gtest/gtest.h>

#include <string>

#include "hostapp/base/strings.h"
#include "ostree-integration/composefs/dump.h"

namespace hostapp::composefs {
namespace {

constexpr std::string_view kRoot = "/ 0 40755 2 0 0 0 0.0 - - -\n";

struct Case {
  std::string_view lines;  // behind the root's
  std::string_view message;
};

constexpr Case kCases[] = {
    {"/a 0 100644 1 0 0 0 0.0 - -\n", "line 2: a field is empty or missing"},
    {"/a  0 100644 1 0 0 0 0.0 - - -\n", "line 2: a field is empty or missing"},
    {"\n", "line 2: a field is empty or missing"},
    {"a 0 100644 1 0 0 0 0.0 - - -\n", "line 2: not an absolute path"},
    {"/a/ 0 100644 1 0 0 0 0.0 - - -\n", "line 2: not an absolute path"},
    {"/a/b 0 100644 1 0 0 0 0.0 - - -\n", "line 2: the folder of that path is not there yet"},
    {"/.. 0 100644 1 0 0 0 0.0 - - -\n", "line 2: /..: no file can have that name"},
    {"/a\\x00 0 100644 1 0 0 0 0.0 - - -\n", "line 2: /a\\x00: a name has a zero byte in it"},
    {"/a\\y 0 100644 1 0 0 0 0.0 - - -\n", "line 2: an unknown escape"},
    {"/a\\x1 0 100644 1 0 0 0 0.0 - - -\n", "line 2: an unknown escape"},
    {"/a\\x-1 0 100644 1 0 0 0 0.0 - - -\n", "line 2: an unknown escape"},
    {"/a\\ 0 100644 1 0 0 0 0.0 - - -\n", "line 2: nothing behind a backslash"},
    {"/a\t 0 100644 1 0 0 0 0.0 - - -\n", "line 2: a control character"},
    {"/ 0 40755 2 0 0 0 0.0 - - -\n", "line 2: a second root, or one that is no folder"},
    {"/a -1 100644 1 0 0 0 0.0 - - -\n", "line 2: not a number, or too large"},
    {"/a 18446744073709551616 100644 1 0 0 0 0.0 - - -\n", "line 2: not a number, or too large"},
    {"/a 1 100644 1 0 0 0 0 - - -\n", "line 2: not a number, or too large"},
    {"/a 0 100648 1 0 0 0 0.0 - - -\n", "line 2: not a number, or too large"},
    {"/a 0 644 1 0 0 0 0.0 - - -\n", "line 2: an unknown type of file"},
    {"/a 9223372036854775808 100644 1 0 0 0 0.0 a - -\n",
     "line 2: /a: a file of 9223372036854775808 bytes, more than 2^53"},
    {"/a 2 100644 1 0 0 0 0.0 - x -\n", "line 2: a size that is not the content's"},
    {"/a 1 100644 1 0 0 0 0.0 y x -\n", "line 2: content where none can be"},
    {"/a 0 100644 1 0 0 1 0.0 - - -\n", "line 2: the number of a device for what is none"},
    {"/a 1 100644 1 0 0 0 0.0 a - 00\n", "line 2: not a digest"},
    {"/a 0 120777 1 0 0 0 0.0 - - -\n", "line 2: /a: a symbolic link without a target"},
    {"/a 0 100644 1 0 0 0 0.0 - - - user.a\n", "line 2: an extended attribute without a value"},
    {"/a 0 100644 1 0 0 0 0.0 - - - user.a=1 user.a=2\n", "line 2: /a: extended attribute user.a twice"},
    {"/a 0 @100644 1 0 0 0 0.0 /a - -\n", "/a: a loop of hard links"},
    {"/a 0 @100644 1 0 0 0 0.0 /b - -\n/b 0 @100644 1 0 0 0 0.0 /a - -\n", "/a: a loop of hard links"},
    {"/a 0 @100644 1 0 0 0 0.0 /b - -\n", "/a: a hard link to nothing"},
    {"/a 0 @100644 1 0 0 0 0.0 / - -\n", "/a: a hard link to nothing"},
    {"/d 0 40755 2 0 0 0 0.0 - - -\n/a 0 @100644 1 0 0 0 0.0 /d - -\n", "/a: /a: a hard link to a folder"},
};

TEST(ComposefsDump, RefusesWhatIsNotADump) {
  for (const Case& test : kCases) {
    const auto tree = ReadDump(StrCat(kRoot, test.lines));
    ASSERT_FALSE(tree.ok()) << test.lines;
    EXPECT_EQ(tree.error().message(), test.message) << test.lines;
    EXPECT_EQ(tree.error().code(), Errc::kCorrupt) << test.lines;
  }
}

TEST(ComposefsDump, NeedsARoot) {
  EXPECT_EQ(ReadDump("").error().message(), "a dump without a root");
  EXPECT_EQ(ReadDump("/a 0 100644 1 0 0 0 0.0 - - -\n").error().message(),
            "line 1: the folder of that path is not there yet");
}

TEST(ComposefsDump, FollowsLinksToLinksInAnyOrder) {
  const auto tree = ReadDump(StrCat(kRoot,
                                    "/a 0 @100644 1 0 0 0 0.0 /b - -\n"
                                    "/b 0 @100644 1 0 0 0 0.0 /c - -\n"
                                    "/c 0 100644 3 0 0 0 0.0 - - -"));
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  const auto& entries = tree->data().entries;
  ASSERT_GE(entries.size(), 3U);
  EXPECT_EQ(entries[entries.size() - 1].inode, entries[entries.size() - 3].inode);
  EXPECT_EQ(entries[entries.size() - 2].inode, entries[entries.size() - 3].inode);
}

TEST(ComposefsDump, WalksALongChainOfLinksOnce) {
  constexpr int kLinks = 200'000;  // walked from each of them it would take minutes
  std::string lines(kRoot);
  for (int i = 0; i < kLinks; ++i) lines += StrCat("/", i, " 0 @100644 1 0 0 0 0.0 /", i + 1, " - -\n");
  const std::string loop = StrCat(lines, "/", kLinks, " 0 @100644 1 0 0 0 0.0 /0 - -\n");
  lines += StrCat("/", kLinks, " 0 100644 1 0 0 0 0.0 - - -\n");
  const auto tree = ReadDump(lines);
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_EQ(ReadDump(loop).error().message(), "/0: a loop of hard links");
}

TEST(ComposefsDump, TakesAFolderOfAMillionNames) {
  constexpr int kNames = 1'000'000;
  std::string lines(kRoot);
  for (int i = 0; i < kNames; ++i) lines += StrCat("/", i, " 0 100644 1 0 0 0 0.0 - - -\n");
  const auto tree = ReadDump(lines);
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  EXPECT_GE(tree->data().entries.size(), size_t{kNames});
}

TEST(ComposefsDump, RefusesAttributesBeyondTheLimits) {
  const auto with = [](const std::string& xattrs) {
    return ReadDump(StrCat(kRoot, "/a 0 100644 1 0 0 0 0.0 - - - ", xattrs, "\n"));
  };
  EXPECT_EQ(with("user." + std::string(251, 'n') + "=1").error().message(),
            "line 2: /a: an extended attribute's name of 256 bytes, more than 255");
  EXPECT_EQ(with("user.a=" + std::string(65536, 'v')).error().message(),
            "line 2: /a: user.a: a value of 65536 bytes, more than 65535");
  EXPECT_EQ(with("user.a=" + std::string(20000, 'v') + " user.b=" + std::string(20000, 'v')).error().message(),
            "line 2: /a: extended attributes of more than 32767 bytes");
}

}  // namespace
}  // namespace hostapp::composefs
