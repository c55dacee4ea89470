// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/durable.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/call_order.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"

namespace hostapp {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using testing::FaultySyscalls;
using testing::ForEveryFailingCall;
using testing::TempDir;

std::string Content(const TempDir& dir, const std::string& name) {
  Result<std::string> content = ReadFile(dir.fd(), name, 1 << 20);
  return content.ok() ? *content : "error: " + content.error().message();
}

void Put(const TempDir& dir, const std::string& name, std::string_view content) {
  std::ofstream file(dir / name, std::ios::binary | std::ios::trunc);
  file << content;
  file.close();
  ASSERT_TRUE(file.good()) << name;
}

struct Failure {
  int sys_errno;
  Errc code;
  FaultySyscalls::Which which;
};

class ReplaceFileUnderFailure : public ::testing::TestWithParam<Failure> {};

TEST_P(ReplaceFileUnderFailure, KeepsTheOldContentUntilTheNewIsWhole) {
  const TempDir dir;
  const int calls = ForEveryFailingCall(
      GetParam().sys_errno, GetParam().which, [&] { Put(dir, "ledger", "old"); },
      [&](Syscalls& sys) { return ReplaceFile(dir.fd(), "ledger", AsBytes("new content"), 0600, sys); },
      [&](const FaultySyscalls& sys, const Status& status) {
        SCOPED_TRACE("call " + std::to_string(sys.calls()) + ", failed: " + sys.failed_call());
        EXPECT_EQ(status.ok(), !sys.failed());
        if (status.ok()) {
          EXPECT_EQ(Content(dir, "ledger"), "new content");
          return;
        }
        EXPECT_EQ(status.error().code(), GetParam().code);
        EXPECT_EQ(status.error().sys_errno(), GetParam().sys_errno);
        // The last call syncs the folder, after the rename: the new content is there, only not promised.
        const std::string after_rename = sys.failed_call() == "fsync" ? "new content" : "old";
        EXPECT_THAT(Content(dir, "ledger"), AnyOf("old", after_rename));
        // Whatever is left over does not stand in the way.
        ASSERT_TRUE(ReplaceFile(dir.fd(), "ledger", AsBytes("again"), 0600, RealSyscalls()).ok());
        EXPECT_THAT(ListDir(dir.fd(), ".").value(), ElementsAre("ledger"));
      });
  EXPECT_EQ(calls, 6) << "open, fchmod, write, fsync, rename, fsync of the folder";
}

INSTANTIATE_TEST_SUITE_P(Errors, ReplaceFileUnderFailure,
                         ::testing::Values(Failure{EIO, Errc::kIo, FaultySyscalls::Which::kOnlyThat},
                                           Failure{ENOSPC, Errc::kNoSpace, FaultySyscalls::Which::kOnlyThat},
                                           Failure{EROFS, Errc::kIo, FaultySyscalls::Which::kThatAndAllAfter},
                                           Failure{EDQUOT, Errc::kNoSpace, FaultySyscalls::Which::kThatAndAllAfter}));

TEST(ReplaceFile, NeverSyncsAFileAgainAfterAFailedSync) {
  const TempDir dir;
  class CountSyncs : public FaultySyscalls {
   public:
    int Fsync(int) override {
      ++syncs;
      return -EIO;
    }
    int syncs = 0;
  } sys;
  EXPECT_FALSE(ReplaceFile(dir.fd(), "f", AsBytes("x"), 0644, sys).ok());
  EXPECT_EQ(sys.syncs, 1);
  EXPECT_THAT(ListDir(dir.fd(), ".").value(), ElementsAre());
}

// vfat writes the new name with no size and no clusters, and those when the file is synced.
TEST(ReplaceFileOnFat, SyncsTheFileUnderItsNameBeforeItsFolder) {
  const TempDir dir;
  testing::CallOrder sys;
  ASSERT_TRUE(ReplaceFileOnFat(dir.fd(), "f", AsBytes("x"), 0644, sys).ok());
  const std::string folder = std::filesystem::path(dir.path()).filename().string();
  EXPECT_THAT(sys.calls(), ElementsAre("make .f.new", "sync .f.new", "rename to f", "sync f", "sync " + folder));
  EXPECT_EQ(Content(dir, "f"), "x");
}

TEST(WriteUnderItsName, WritesItAtOnceAndLeavesNothingOfItOnAnError) {
  const TempDir dir;
  const int calls = ForEveryFailingCall(
      EIO, FaultySyscalls::Which::kOnlyThat, [&] { Put(dir, "f", "what was there"); },
      [&](Syscalls& sys) { return WriteUnderItsName(dir.fd(), "f", AsBytes("new"), 0644, sys); },
      [&](const FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed());
        if (status.ok()) {
          EXPECT_EQ(Content(dir, "f"), "new");
        } else {
          EXPECT_THAT(ListDir(dir.fd(), ".").value(), ElementsAre()) << sys.failed_call();
        }
      });
  EXPECT_EQ(calls, 5) << "open, fchmod, write, fsync, fsync of the folder";
}

TEST(WriteUnderItsName, TakesTheNameFromWhatIsNoFile) {
  const TempDir dir;
  Put(dir, "target", "kept");
  ASSERT_EQ(::mkfifoat(dir.fd(), "fifo", 0600), 0);
  ASSERT_EQ(::symlinkat("target", dir.fd(), "link"), 0);
  ASSERT_EQ(::mkdirat(dir.fd(), "folder", 0700), 0);
  for (const char* name : {"fifo", "link", "folder"}) {
    EXPECT_TRUE(WriteUnderItsName(dir.fd(), name, AsBytes("new"), 0644, RealSyscalls()).ok()) << name;
    EXPECT_EQ(Content(dir, name), "new");
  }
  EXPECT_EQ(Content(dir, "target"), "kept");
}

TEST(ReplaceFile, WaitsForNobodyWhoReadsAFifo) {
  const TempDir dir;
  ASSERT_EQ(::mkfifoat(dir.fd(), ".f.new", 0600), 0);
  EXPECT_FALSE(ReplaceFile(dir.fd(), "f", AsBytes("x"), 0644, RealSyscalls()).ok());
  EXPECT_TRUE(ReplaceFile(dir.fd(), "f", AsBytes("x"), 0644, RealSyscalls()).ok()) << "the first call has removed it";
}

TEST(ReplaceFile, GoesOnAfterShortWrites) {
  const TempDir dir;
  FaultySyscalls sys;
  sys.MakeWritesShort(3);
  ASSERT_TRUE(ReplaceFile(dir.fd(), "f", AsBytes("ten bytes!"), 0644, sys).ok());
  EXPECT_EQ(Content(dir, "f"), "ten bytes!");
}

TEST(ReplaceFile, DoesNotWriteThroughALinkAndSetsTheModeWhateverTheUmask) {
  const TempDir dir;
  Put(dir, "target", "kept");
  ASSERT_EQ(::symlinkat("target", dir.fd(), "f"), 0);
  ASSERT_EQ(::symlinkat("target", dir.fd(), ".g.new"), 0);
  const mode_t umask_before = ::umask(0077);
  EXPECT_TRUE(ReplaceFile(dir.fd(), "f", AsBytes("new"), 0644, RealSyscalls()).ok());
  EXPECT_FALSE(ReplaceFile(dir.fd(), "g", AsBytes("new"), 0644, RealSyscalls()).ok());
  ::umask(umask_before);
  EXPECT_EQ(Content(dir, "target"), "kept");
  struct stat info {};
  ASSERT_EQ(::fstatat(dir.fd(), "f", &info, AT_SYMLINK_NOFOLLOW), 0);
  EXPECT_EQ(info.st_mode, S_IFREG | 0644U);
}

TEST(WriteAll, EndsWhenTheSystemTakesNothing) {
  const TempDir dir;
  FaultySyscalls sys;
  sys.MakeWritesShort(0);
  EXPECT_EQ(ReplaceFile(dir.fd(), "f", AsBytes("x"), 0644, sys).error().code(), Errc::kIo);
}

TEST(OverwriteInPlace, ChangesOnlyItsSlotAndReportsEveryFailure) {
  const TempDir dir;
  const int calls = ForEveryFailingCall(
      EIO, FaultySyscalls::Which::kOnlyThat, [&] { Put(dir, "slots", "aaaabbbb"); },
      [&](Syscalls& sys) {
        const UniqueFd file(::openat(dir.fd(), "slots", O_RDWR | O_CLOEXEC));
        return OverwriteInPlace(file.get(), 4, AsBytes("XXXX"), sys);
      },
      [&](const FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed());
        EXPECT_EQ(Content(dir, "slots").substr(0, 4), "aaaa");
      });
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(Content(dir, "slots"), "aaaaXXXX");
}

TEST(OpenRegular, OpensAFileAndNothingElse) {
  const TempDir dir;
  Put(dir, "f", "12345");
  EXPECT_TRUE(OpenRegular(dir.fd(), "f").ok());
  ASSERT_EQ(::mkfifoat(dir.fd(), "fifo", 0600), 0);
  ASSERT_EQ(::symlinkat("f", dir.fd(), "link"), 0);
  for (const char* name : {"fifo", "link", "."}) {
    EXPECT_EQ(OpenRegular(dir.fd(), name).error().code(), Errc::kCorrupt) << name;
  }
  EXPECT_EQ(OpenRegular(dir.fd(), "none").error().code(), Errc::kNotFound);
}

TEST(ReadFile, RefusesWhatIsTooLongOrNoFile) {
  const TempDir dir;
  Put(dir, "f", "12345");
  EXPECT_EQ(ReadFile(dir.fd(), "f", 5).value(), "12345");
  EXPECT_EQ(ReadFile(dir.fd(), "f", 4).error().code(), Errc::kCorrupt);
  EXPECT_EQ(ReadFile(dir.fd(), "none", 4).error().code(), Errc::kNotFound);
  EXPECT_EQ(ReadFile(dir.fd(), ".", 4).error().code(), Errc::kCorrupt);
  ASSERT_EQ(::mkfifoat(dir.fd(), "fifo", 0600), 0);
  EXPECT_EQ(ReadFile(dir.fd(), "fifo", 4).error().code(), Errc::kCorrupt);
}

TEST(MakeDirs, MakesWhatIsMissingAndTakesWhatIsThere) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirs(dir.fd(), "a/b", 0755, RealSyscalls()).ok());
  const Result<UniqueFd> c = MakeDirs(dir.fd(), "a//./b/c", 0700, RealSyscalls());
  ASSERT_TRUE(c.ok());
  EXPECT_TRUE(Exists(dir.fd(), "a/b/c"));
  Put(dir, "file", "x");
  EXPECT_FALSE(MakeDirs(dir.fd(), "file/d", 0755, RealSyscalls()).ok());
}

TEST(RenameNoReplace, IsBusyWhenTheNameIsTaken) {
  const TempDir dir;
  Put(dir, "a", "a");
  Put(dir, "b", "b");
  EXPECT_EQ(RenameNoReplace(dir.fd(), "a", dir.fd(), "b", RealSyscalls()).error().code(), Errc::kBusy);
  EXPECT_EQ(Content(dir, "b"), "b");
  EXPECT_TRUE(Rename(dir.fd(), "a", dir.fd(), "b", RealSyscalls()).ok());
  EXPECT_EQ(Content(dir, "b"), "a");
}

TEST(RemoveTree, RemovesEverythingAndNothingBehindALink) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirs(dir.fd(), "outside", 0755, RealSyscalls()).ok());
  Put(dir, "outside/kept", "kept");
  ASSERT_TRUE(MakeDirs(dir.fd(), "tree/deep/er", 0755, RealSyscalls()).ok());
  Put(dir, "tree/deep/f", "x");
  ASSERT_EQ(::symlinkat("../outside", dir.fd(), "tree/link"), 0);
  ASSERT_TRUE(RemoveTree(dir.fd(), "tree", RealSyscalls()).ok());
  EXPECT_FALSE(Exists(dir.fd(), "tree"));
  EXPECT_EQ(Content(dir, "outside/kept"), "kept");
  EXPECT_TRUE(RemoveTree(dir.fd(), "tree", RealSyscalls()).ok()) << "gone already is fine";
}

TEST(RemoveTree, TakesAPathToo) {
  const TempDir dir;
  ASSERT_TRUE(MakeDirs(dir.fd(), "tree/below", 0755, RealSyscalls()).ok());
  EXPECT_TRUE(RemoveTree(AT_FDCWD, dir.path() + "/tree", RealSyscalls()).ok());
  EXPECT_FALSE(Exists(dir.fd(), "tree"));
}

TEST(RemoveTree, ReportsEveryFailureAndFinishesWhenRunAgain) {
  const TempDir dir;
  const auto prepare = [&] {
    ASSERT_TRUE(MakeDirs(dir.fd(), "tree/a/b", 0755, RealSyscalls()).ok());
    Put(dir, "tree/a/f", "x");
  };
  const int calls = ForEveryFailingCall(
      EIO, FaultySyscalls::Which::kOnlyThat, prepare, [&](Syscalls& sys) { return RemoveTree(dir.fd(), "tree", sys); },
      [&](const FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed());
        EXPECT_TRUE(RemoveTree(dir.fd(), "tree", RealSyscalls()).ok());
        EXPECT_FALSE(Exists(dir.fd(), "tree"));
      });
  EXPECT_GE(calls, 4);
}

TEST(CheckpointFilesystem, WaitsWhileSomebodyElseHasItFrozen) {
  class FrozenByAnother : public FaultySyscalls {
   public:
    int FreezeAndThaw(int) override { return ++calls < 4 ? -EBUSY : 0; }
    int calls = 0;
  };
  const TempDir dir;
  FrozenByAnother sys;
  EXPECT_TRUE(CheckpointFilesystem(dir.fd(), sys).ok());
  EXPECT_EQ(sys.calls, 4);
}

TEST(FreeSpaceOn, TellsBytesAndInodes) {
  const TempDir dir;
  EXPECT_GT(FreeSpaceOn(dir.fd(), RealSyscalls()).value().bytes, 0U);
}

}  // namespace
}  // namespace hostapp
