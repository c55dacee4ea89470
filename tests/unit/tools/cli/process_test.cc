// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

namespace hostapp::cli {
namespace {

// Runs `body` in a child process; its exit status.
template <typename Body>
int InChild(const Body& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(body());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(SanitizeProcess, GivesClosedStandardDescriptorsToDevNull) {
  EXPECT_EQ(InChild([] {
              ::close(0);
              ::close(1);
              ::close(2);
              SanitizeProcess();
              struct stat zero {
              }, one{}, two{}, null{};
              if (::fstat(0, &zero) != 0 || ::fstat(1, &one) != 0 || ::fstat(2, &two) != 0) return 1;
              if (::stat("/dev/null", &null) != 0) return 2;
              return zero.st_rdev == null.st_rdev && one.st_rdev == null.st_rdev && two.st_rdev == null.st_rdev ? 0 : 3;
            }),
            0);
}

TEST(SanitizeProcess, SetsTheUmaskAndMakesAClosedPipeAnError) {
  EXPECT_EQ(InChild([] {
              ::umask(0);
              SanitizeProcess();
              int ends[2];
              if (::umask(0) != 022 || ::pipe2(ends, O_CLOEXEC) != 0) return 1;
              ::close(ends[0]);
              return ::write(ends[1], "x", 1) == -1 && errno == EPIPE ? 0 : 2;
            }),
            0);
}

TEST(InterruptGuard, CancelsAtTheFirstSignalAndLetsTheSecondOneKill) {
  EXPECT_EQ(InChild([] {
              const CancellationToken token;
              const InterruptGuard guard(token);
              if (token.cancelled()) return 1;
              ::raise(SIGTERM);
              if (!token.cancelled()) return 2;
              ::raise(SIGTERM);
              return 3;
            }),
            128 + SIGTERM);
}

TEST(InterruptGuard, RespectsACallerWhoIgnoresASignal) {
  EXPECT_EQ(InChild([] {
              ::signal(SIGHUP, SIG_IGN);
              const CancellationToken token;
              const InterruptGuard guard(token);
              ::raise(SIGHUP);
              return token.cancelled() ? 1 : 0;
            }),
            0);
}

TEST(SanitizeProcess, LeavesDefaultSignalsToProgramsThatAreRun) {
  EXPECT_EQ(InChild([] {
              SanitizeProcess();
              const CancellationToken token;
              const InterruptGuard guard(token);
              ::execlp("sh", "sh", "-c", "kill -PIPE $$", nullptr);
              return 1;
            }),
            128 + SIGPIPE);
}

}  // namespace
}  // namespace hostapp::cli
