// SPDX-License-Identifier: Apache-2.0
#include "tests/support/faulty_syscalls.h"

#include <fcntl.h>

namespace hostapp::testing {

int FaultySyscalls::OpenAt(int dir, const char* path, int flags, mode_t mode) {
  const bool creates = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE || (flags & O_TRUNC) != 0;
  if (creates && Fails("open")) return -sys_errno_;
  return Syscalls::OpenAt(dir, path, flags, mode);
}

int ForEveryFailingCall(int sys_errno, FaultySyscalls::Which which, const std::function<void()>& prepare,
                        const std::function<Status(Syscalls&)>& operation,
                        const std::function<void(const FaultySyscalls&, const Status&)>& check) {
  for (int n = 1;; ++n) {
    prepare();
    FaultySyscalls sys(n, sys_errno, which);
    const Status status = operation(sys);
    check(sys, status);
    if (!sys.failed()) return n - 1;
  }
}

}  // namespace hostapp::testing
