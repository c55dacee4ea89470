// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "hostapp/base/op_context.h"

namespace hostapp {

struct ProgramResult {
  enum class End { kExited, kSignalled, kTimedOut } end = End::kExited;
  int code = 0;        // exit status, or the signal's number
  std::string output;  // standard output and error together, the last 4 KiB
};

// Runs a program in a session of its own, standard input from /dev/null, and waits for it. After `timeout` (or when
// asked to stop) it and all that it started in its session's process group are killed. Output that children left behind
// hold open is not waited for. kNotFound, kIo: it could not be started; kCancelled.
Result<ProgramResult> RunProgram(const std::vector<std::string>& argv, std::chrono::seconds timeout, OpContext& ctx);

}  // namespace hostapp
