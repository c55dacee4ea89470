// SPDX-License-Identifier: Apache-2.0
// The tests' own parser: a dump that it understood wrongly would make the digests beside the reference's worthless.
#include <gtest/gtest.h>

#include <string>

#include "hostapp/base/strings.h"
#include "tests/support/composefs_dump.h"

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
    const auto tree = testing::ComposefsDump::Read(StrCat(kRoot, test.lines));
    ASSERT_FALSE(tree.ok()) << test.lines;
    EXPECT_EQ(tree.error().message(), test.message) << test.lines;
    EXPECT_EQ(tree.error().code(), Errc::kCorrupt) << test.lines;
  }
}

TEST(ComposefsDump, NeedsARoot) {
  EXPECT_EQ(testing::ComposefsDump::Read("").error().message(), "a dump without a root");
  EXPECT_EQ(testing::ComposefsDump::Read("/a 0 100644 1 0 0 0 0.0 - - -\n").error().message(),
            "line 1: the folder of that path is not there yet");
}

TEST(ComposefsDump, FollowsLinksToLinksInAnyOrder) {
  const auto tree = testing::ComposefsDump::Read(StrCat(kRoot,
                                                        "/a 0 @100644 1 0 0 0 0.0 /b - -\n"
                                                        "/b 0 @100644 1 0 0 0 0.0 /c - -\n"
                                                        "/c 0 100644 3 0 0 0 0.0 - - -"));
  ASSERT_TRUE(tree.ok()) << tree.error().message();
  const auto& entries = tree->data().entries;
  ASSERT_GE(entries.size(), 3U);
  EXPECT_EQ(entries[entries.size() - 1].inode, entries[entries.size() - 3].inode);
  EXPECT_EQ(entries[entries.size() - 2].inode, entries[entries.size() - 3].inode);
}

}  // namespace
}  // namespace hostapp::composefs
