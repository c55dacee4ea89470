// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "hostapp/base/op_context.h"
#include "tools/cli/console.h"
#include "tools/cli/options.h"
#include "tools/cli/process.h"

namespace hostapp::cli {

// What an operation may touch, made from the options: the real clock and system calls, log and progress on the
// console, and cancellation by signals. One a process.
class Session {
 public:
  Session(const CommonOptions& options, Console& console);

  OpContext& ctx() { return ctx_; }
  // Takes the bar away, before the result is printed.
  void EndProgress() { console_.SetBar({}); }

 private:
  Console& console_;
  ConsoleLog log_;
  std::unique_ptr<ProgressSink> progress_;
  OpContext ctx_;
  InterruptGuard interrupts_;
};

}  // namespace hostapp::cli
