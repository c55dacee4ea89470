// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/process.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "hostapp/base/check.h"

namespace hostapp::cli {
namespace {

// The one variable that is not passed along: a signal handler has no argument for it.
std::atomic<const CancellationToken*> interrupted_token{nullptr};
static_assert(std::atomic<const CancellationToken*>::is_always_lock_free, "used in a signal handler");

void OnInterrupt(int) {
  const CancellationToken* token = interrupted_token.load();
  if (token != nullptr) token->Cancel();
}

// Not SIG_IGN, which programs that we run would inherit.
void DoNothing(int) {}

void Handle(int number, void (*handler)(int), int flags, struct sigaction* before) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  ::sigaction(number, &action, before);
}

void OpenStandardDescriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free descriptor is this one.
    if (::open("/dev/null", O_RDWR) != fd) ::_exit(1);
  }
}

}  // namespace

void SanitizeProcess() {
  OpenStandardDescriptors();
  ::umask(022);
  Handle(SIGPIPE, DoNothing, SA_RESTART, nullptr);
  Handle(SIGXFSZ, DoNothing, SA_RESTART, nullptr);
  struct rlimit files {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

InterruptGuard::InterruptGuard(const CancellationToken& token) : token_(token) {
  CHECK(interrupted_token.exchange(&token_) == nullptr);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(number, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // nohup, and background jobs: the caller's wish
    Handle(number, OnInterrupt, SA_RESTART | static_cast<int>(SA_RESETHAND), &before);
    saved_.push_back({number, before});
  }
}

InterruptGuard::~InterruptGuard() {
  for (const Saved& saved : saved_) ::sigaction(saved.number, &saved.action, nullptr);
  interrupted_token.store(nullptr);
}

}  // namespace hostapp::cli
