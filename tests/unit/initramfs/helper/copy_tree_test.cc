// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/copy_tree.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "tests/unit/initramfs/helper/temp_tree.h"

namespace hostapp::initramfs {
namespace {

class CopyTreeTest : public testing::Test {
 protected:
  CopyTreeTest() { tree_.Folder("target", 0700); }

  bool Copy(CopyKind kind) {
    const Fd source = tree_.Open("source");
    const Fd target = tree_.Open("target");
    return CopyTree(source.get(), target.get(), kind, stats_, why_);
  }

  TempTree tree_;
  CopyStats stats_;
  Problem why_;
};

TEST_F(CopyTreeTest, KeepsNamesModesLinksTimesAndContent) {
  tree_.Folder("source", 0751);
  tree_.File("source/file", "content", 0640);
  tree_.File("source/folder/tool", "#!", 04755);
  tree_.Folder("source/closed", 0500);
  tree_.Link("source/link", "../outside");
  const struct timespec times[] = {{.tv_sec = 11, .tv_nsec = 0}, {.tv_sec = 22, .tv_nsec = 33}};
  utimensat(tree_.fd(), "source/file", times, 0);
  ASSERT_TRUE(Copy(CopyKind::kPlain)) << why_.text();
  EXPECT_EQ(tree_.List("target"), tree_.List("source"));
  struct stat info = {};
  stat(tree_.Path("target/file").c_str(), &info);
  EXPECT_EQ(info.st_mtim.tv_sec, 22);
  EXPECT_EQ(info.st_mtim.tv_nsec, 33);
  stat(tree_.Path("target").c_str(), &info);
  EXPECT_EQ(info.st_mode & 07777U, 0751U);
  EXPECT_EQ(stats_.entries, 5U);
}

TEST_F(CopyTreeTest, NeverLinksToTheSource) {
  tree_.File("source/a", "same");
  std::filesystem::create_hard_link(tree_.Path("source/a"), tree_.Path("source/b"));
  ASSERT_TRUE(Copy(CopyKind::kPlain));
  EXPECT_EQ(std::filesystem::hard_link_count(tree_.Path("target/a")), 1U);
  EXPECT_EQ(std::filesystem::hard_link_count(tree_.Path("target/b")), 1U);
}

TEST_F(CopyTreeTest, KeepsWhiteoutsOnlyInAnOverlaysChanges) {
  tree_.File("source/kept", "");
  tree_.Whiteout("source/removed");
  ASSERT_TRUE(Copy(CopyKind::kOverlayUpper)) << why_.text();
  EXPECT_EQ(tree_.List("target"), "kept file 0644 \nremoved whiteout\n");
  ASSERT_TRUE(RemoveTreeAt(tree_.fd(), "target"));
  tree_.Folder("target");
  ASSERT_TRUE(Copy(CopyKind::kPlain)) << why_.text();
  EXPECT_EQ(tree_.List("target"), "kept file 0644 \n");
  EXPECT_EQ(stats_.skipped, 1U);
}

TEST_F(CopyTreeTest, PassesOverPipes) {
  tree_.Folder("source");
  ASSERT_EQ(mkfifo(tree_.Path("source/pipe").c_str(), 0600), 0);
  ASSERT_TRUE(Copy(CopyKind::kPlain)) << why_.text();
  EXPECT_EQ(tree_.List("target"), "");
  EXPECT_EQ(stats_.skipped, 1U);
}

TEST_F(CopyTreeTest, RefusesToOverwrite) {
  tree_.File("source/file", "new");
  tree_.File("target/file", "old");
  EXPECT_FALSE(Copy(CopyKind::kPlain));
  EXPECT_EQ(why_.text(), "copying file: File exists");
  EXPECT_EQ(tree_.Read("target/file"), "old");
}

TEST_F(CopyTreeTest, RefusesATreeThatIsDeeperThanItsStack) {
  std::string deep = "source";
  for (int i = 0; i < 140; i++) deep += "/d";
  tree_.Folder(deep);
  EXPECT_FALSE(Copy(CopyKind::kPlain));
  EXPECT_EQ(why_.text(), "copying a tree: more than 128 folders deep");
}

class OverlayForms : public testing::Test {
 protected:
  OverlayForms() {
    tree_.File("lower/unchanged", "image");
    tree_.File("lower/changed", "image");
    tree_.File("lower/removed", "image");
    tree_.File("lower/folder/unchanged", "image");
    tree_.File("lower/folder/changed", "image");
    tree_.File("lower/gone/file", "image");
    tree_.File("lower/becomes-folder", "image");
    tree_.Link("lower/link", "unchanged");

    tree_.File("upper/changed", "admin", 0600);
    tree_.Whiteout("upper/removed");
    tree_.File("upper/folder/changed", "admin");
    tree_.File("upper/folder/added", "admin");
    tree_.Whiteout("upper/gone");
    tree_.File("upper/becomes-folder/file", "admin");
    tree_.Link("upper/link", "changed");
    tree_.Folder("target");
  }
  static constexpr const char* kShown =
      "becomes-folder folder 0755\nbecomes-folder/file file 0644 admin\nchanged file 0600 admin\nfolder folder 0755\n"
      "folder/added file 0644 admin\nfolder/changed file 0644 admin\nfolder/unchanged file 0644 image\nlink -> "
      "changed\n"
      "unchanged file 0644 image\n";

  TempTree tree_;
  CopyStats stats_;
  Problem why_;
};

TEST_F(OverlayForms, MergeShowsWhatTheOverlayWould) {
  ASSERT_TRUE(
      MergeOverlay(tree_.Open("lower").get(), tree_.Open("upper").get(), tree_.Open("target").get(), stats_, why_))
      << why_.text();
  EXPECT_EQ(tree_.List("target"), kShown);
}

TEST_F(OverlayForms, DiffFindsTheChangesOfAMergedTree) {
  ASSERT_TRUE(
      MergeOverlay(tree_.Open("lower").get(), tree_.Open("upper").get(), tree_.Open("target").get(), stats_, why_));
  tree_.Folder("again");
  ASSERT_TRUE(
      DiffToUpper(tree_.Open("lower").get(), tree_.Open("target").get(), tree_.Open("again").get(), stats_, why_))
      << why_.text();
  EXPECT_EQ(tree_.List("again"), tree_.List("upper"));
}

class MakeCompleteTest : public testing::Test {
 protected:
  MakeCompleteTest() {
    tree_.Folder("scratch");
    tree_.Folder("place");
  }
  bool Make(bool succeed) {
    const auto fill = [&](int folder) {
      const Fd file(openat(folder, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
      return succeed && file.ok();
    };
    return MakeComplete(tree_.Open("scratch").get(), "new", tree_.Open("place").get(), "final", fill, why_);
  }
  TempTree tree_;
  Problem why_;
};

TEST_F(MakeCompleteTest, PutsTheFolderUnderItsNameWhenItIsFilled) {
  ASSERT_TRUE(Make(true)) << why_.text();
  EXPECT_TRUE(tree_.Exists("place/final/file"));
  EXPECT_FALSE(tree_.Exists("scratch/new"));
}

TEST_F(MakeCompleteTest, LeavesNothingUnderTheNameWhenFillingStops) {
  EXPECT_FALSE(Make(false));
  EXPECT_FALSE(tree_.Exists("place/final"));
  ASSERT_TRUE(Make(true)) << "what was left unfinished is in nobody's way: " << why_.text();
}

TEST_F(MakeCompleteTest, ReplacesAnEmptyFolderAndNoFullOne) {
  tree_.Folder("place/final");
  EXPECT_TRUE(Make(true)) << why_.text();
  EXPECT_FALSE(Make(true));
  EXPECT_EQ(why_.text(), "renaming to final: Directory not empty");
}

TEST(RemoveTreeAt, RemovesATreeWithoutFollowingLinks) {
  TempTree tree;
  tree.File("kept/file", "x");
  tree.File("gone/a/b/c", "x");
  tree.Link("gone/a/link", tree.Path("kept"));
  EXPECT_TRUE(RemoveTreeAt(tree.fd(), "gone"));
  EXPECT_FALSE(tree.Exists("gone"));
  EXPECT_TRUE(tree.Exists("kept/file"));
  EXPECT_TRUE(RemoveTreeAt(tree.fd(), "gone")) << "not there is removed";
}

}  // namespace
}  // namespace hostapp::initramfs
