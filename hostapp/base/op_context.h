// SPDX-License-Identifier: Apache-2.0
// All that an operation may touch besides its arguments.
#pragma once

#include "hostapp/base/cancel.h"
#include "hostapp/base/clock.h"
#include "hostapp/base/log.h"
#include "hostapp/base/progress.h"
#include "hostapp/base/syscalls.h"

namespace hostapp {

// Does not own what it refers to; lives as long as the operation.
struct OpContext {
  Clock& clock;
  Log& log;
  ProgressSink& progress;
  CancellationToken cancel;
  Syscalls& sys;
  // How many threads may work at once on what can be shared out; 1: no thread beside the caller's, so that the order of
  // system calls is always the same.
  unsigned jobs = 1;
};

}  // namespace hostapp
