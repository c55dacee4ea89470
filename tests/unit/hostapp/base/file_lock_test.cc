// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/file_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <optional>
#include <thread>

#include "tests/support/temp_dir.h"

namespace hostapp {
namespace {

using testing::TempDir;
using Wait = FileLock::Wait;

TEST(FileLock, HasOneHolderAtATime) {
  const TempDir dir;
  std::optional<FileLock> first = FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls()).value();
  const Result<FileLock> second = FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code(), Errc::kBusy);
  first.reset();
  EXPECT_TRUE(FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls()).ok());
}

TEST(FileLock, IsGoneWithAKilledHolder) {
  const TempDir dir;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Result<FileLock> lock = FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls());
    [[maybe_unused]] const ssize_t told = ::write(ready[1], lock.ok() ? "y" : "n", 1);
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  EXPECT_FALSE(FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls()).ok());
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls()).ok());
}

TEST(FileLock, WaitsUntilTheHolderIsDone) {
  const TempDir dir;
  std::optional<FileLock> first = FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls()).value();
  std::thread waiter([&] { EXPECT_TRUE(FileLock::Acquire(dir.fd(), "lock", Wait::kYes, {}, RealSyscalls()).ok()); });
  first.reset();
  waiter.join();
}

TEST(FileLock, StopsWaitingWhenCancelled) {
  const TempDir dir;
  const FileLock first = FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls()).value();
  const CancellationToken cancel;
  cancel.Cancel();
  EXPECT_EQ(FileLock::Acquire(dir.fd(), "lock", Wait::kYes, cancel, RealSyscalls()).error().code(), Errc::kCancelled);
}

TEST(FileLock, DoesNotFollowALink) {
  const TempDir dir;
  ASSERT_EQ(::symlinkat("elsewhere", dir.fd(), "lock"), 0);
  EXPECT_FALSE(FileLock::Acquire(dir.fd(), "lock", Wait::kNo, {}, RealSyscalls()).ok());
}

}  // namespace
}  // namespace hostapp
