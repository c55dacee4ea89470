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
};

}  // namespace hostapp
