// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/recording_syscalls.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "hostapp/base/unique_fd.h"
#include "tests/support/temp_dir.h"

namespace hostapp {
namespace {

class Recording : public ::testing::Test {
 protected:
  UniqueFd Create(const char* name) { return UniqueFd(sys_.OpenAt(dir_.fd(), name, O_RDWR | O_CREAT | O_EXCL, 0600)); }
  struct stat Stat(const char* name) {
    struct stat info {};
    EXPECT_EQ(::fstatat(dir_.fd(), name, &info, AT_SYMLINK_NOFOLLOW), 0) << name;
    return info;
  }
  Attributes Of(const char* name) { return sys_.AttributesOf(Stat(name)); }

  testing::TempDir dir_;
  RecordingSyscalls sys_;
};

TEST_F(Recording, RemembersWithoutDoing) {
  const UniqueFd fd = Create("file");
  EXPECT_EQ(sys_.Fchown(fd.get(), 70000, 70001), 0);
  EXPECT_EQ(sys_.Fsetxattr(fd.get(), "security.capability", "cap", 3), 0);
  EXPECT_EQ(sys_.Fchmod(fd.get(), 04111), 0);
  const timespec times[2] = {{1, 0}, {2, 0}};
  EXPECT_EQ(sys_.Futimens(fd.get(), times), 0);
  const Attributes attributes = Of("file");
  EXPECT_EQ(attributes.uid, 70000U);
  EXPECT_EQ(attributes.gid, 70001U);
  EXPECT_EQ(attributes.mode, 04111U);
  EXPECT_EQ(attributes.mtime, 2);
  EXPECT_EQ(attributes.xattrs, (XattrMap{{"security.capability", "cap"}}));
  EXPECT_EQ(Stat("file").st_mode & 07777, 0600U);
  EXPECT_EQ(Stat("file").st_uid, ::geteuid());
}

TEST_F(Recording, RemembersTheLinkItselfAndNotItsTarget) {
  const UniqueFd fd = Create("file");
  EXPECT_EQ(sys_.SymlinkAt("file", dir_.fd(), "link"), 0);
  EXPECT_EQ(sys_.LchownAt(dir_.fd(), "link", 7, 8), 0);
  EXPECT_EQ(sys_.LsetxattrAt(dir_.fd(), "link", "security.x", "y", 1), 0);
  EXPECT_EQ(Of("link").uid, 7U);
  EXPECT_EQ(Of("link").xattrs.size(), 1U);
  EXPECT_EQ(Of("file").uid, 0U);
}

TEST_F(Recording, SaysRootForWhatNobodyGaveAway) {
  const UniqueFd fd = Create("file");
  EXPECT_EQ(::fchmod(fd.get(), 02644), 0);
  const Attributes attributes = Of("file");
  EXPECT_EQ(attributes.uid, 0U);
  EXPECT_EQ(attributes.mode, 0644U);
  EXPECT_FALSE(attributes.mtime);
}

TEST_F(Recording, ForgetsWhatIsGoneBecauseItsNumberComesBack) {
  const ino_t number = [&] {
    const UniqueFd fd = Create("file");
    EXPECT_EQ(sys_.Fchown(fd.get(), 7, 7), 0);
    return Stat("file").st_ino;
  }();
  EXPECT_EQ(sys_.LinkAt(dir_.fd(), "file", dir_.fd(), "second", 0), 0);
  EXPECT_EQ(sys_.UnlinkAt(dir_.fd(), "file", 0), 0);
  EXPECT_EQ(Of("second").uid, 7U);  // one name is left
  struct stat same = Stat("second");
  ASSERT_EQ(same.st_ino, number);
  { const UniqueFd fd = Create("third"); }
  EXPECT_EQ(sys_.RenameAt(dir_.fd(), "third", dir_.fd(), "second", 0), 0);
  EXPECT_EQ(sys_.AttributesOf(same).uid, 0U);
}

TEST_F(Recording, CopiesAFileThatHasAllItsNames) {
  {
    const UniqueFd fd = Create("file");
    EXPECT_EQ(sys_.Write(fd.get(), "content", 7), 7);
    EXPECT_EQ(sys_.Fchown(fd.get(), 7, 8), 0);
    EXPECT_EQ(sys_.Fchmod(fd.get(), 04711), 0);
  }
  int result = 0;
  for (int i = 0; Stat("file").st_nlink < 100000; ++i) {
    const std::string name = std::to_string(i);
    result = sys_.LinkAt(dir_.fd(), "file", dir_.fd(), name.c_str(), 0);
    ASSERT_EQ(result, 0);
    if (Stat(name.c_str()).st_ino == Stat("file").st_ino) continue;
    const Attributes copy = Of(name.c_str());
    EXPECT_EQ(copy.uid, 7U);
    EXPECT_EQ(copy.gid, 8U);
    EXPECT_EQ(copy.mode, 04711U);
    EXPECT_EQ(Stat(name.c_str()).st_size, 7);
    return;
  }
  GTEST_SKIP() << "this file system has no limit of names";
}

}  // namespace
}  // namespace hostapp
