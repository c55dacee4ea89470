// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/op_context.h"

namespace hostapp {

struct ProgramResult {
  enum class End { kExited, kSignalled, kTimedOut } end = End::kExited;
  int code = 0;        // exit status, or the signal's number
  std::string output;  // standard output and error together, the last 4 KiB

  bool Succeeded() const { return end == End::kExited && code == 0; }
  std::string Ending() const;  // "exit status 1", "killed by signal 9", "took too long"
};

// Runs a program in a session of its own, standard input from /dev/null, and waits for it. After `timeout` (or when
// asked to stop) it and all that it started in its session's process group are killed. Output that children left behind
// hold open is not waited for. `environment`: "NAME=VALUE" besides, and instead of, our own. kNotFound, kIo: it could
// not be started; kCancelled.
Result<ProgramResult> RunProgram(const std::vector<std::string>& argv, std::chrono::seconds timeout, OpContext& ctx,
                                 const std::vector<std::string>& environment = {});

// Where a program is: in PATH, or where only root's PATH has it (/usr/local/sbin, /usr/sbin, /sbin). kNotFound, with
// the package that brings it.
Result<std::string> FindProgram(const std::string& name, std::string_view package);

}  // namespace hostapp
