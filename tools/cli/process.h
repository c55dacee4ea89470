// SPDX-License-Identifier: Apache-2.0
// A program begins with whatever its caller left it; this is what ours expect instead.
#pragma once

#include <csignal>
#include <vector>

#include "hostapp/base/cancel.h"

namespace hostapp::cli {

// Before anything else in main(), while there is one thread: standard descriptors that are closed become /dev/null (or
// the next file opened would be written to as "standard error"), the umask is 022, a closed pipe and a file over the
// size limit are errors of the write instead of signals, and as many files may be open as the caller allows at most.
void SanitizeProcess();

// While it lives, the first SIGINT, SIGTERM or SIGHUP asks `token` to stop; a second one of the same kind ends the
// process at once, as without us. One at a time. Programs that we run begin with the signals' default actions.
class InterruptGuard {
 public:
  explicit InterruptGuard(const CancellationToken& token);
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

 private:
  struct Saved {
    int number;
    struct sigaction action;
  };
  CancellationToken token_;
  std::vector<Saved> saved_;
};

}  // namespace hostapp::cli
