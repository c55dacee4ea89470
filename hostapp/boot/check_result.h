// SPDX-License-Identifier: Apache-2.0
// What became of a health check, as it is told to people and kept in the boot ledger. Pure.
#pragma once

#include <chrono>
#include <string>

#include "hostapp/base/run_program.h"

namespace hostapp {

struct CheckResult {
  enum class Outcome { kPassed, kFailed, kTimedOut };

  std::string name;      // the executable's path, or kUnitsName
  bool required = true;  // a failed one that is only wanted is reported and decides nothing
  Outcome outcome = Outcome::kPassed;
  std::string detail;  // "exit status 1", "killed by signal 9", …
  std::string output;  // the last 4 KiB
  double seconds = 0;
};

// The name of the check of JudgeUnits().
inline constexpr const char* kUnitsName = "systemd units";

// A check that could not be run.
CheckResult FailedCheck(std::string name, bool required, std::string detail);

// Of a program that was run: passed is exit status 0 and nothing else.
CheckResult JudgeProgram(std::string name, bool required, ProgramResult program, std::chrono::seconds timeout);

// Of `systemctl --failed`, which prints a line for each failed unit and exits 0 either way.
CheckResult JudgeUnits(ProgramResult program, std::chrono::seconds timeout);

// The last words of a trial that failed by it.
std::string FailureText(const CheckResult& check);

}  // namespace hostapp
