// SPDX-License-Identifier: Apache-2.0
// What a verb hands back, and its way to standard output, standard error and the exit status.
#pragma once

#include <string>

#include "hostapp/base/json.h"
#include "hostapp/base/result.h"
#include "tools/cli/console.h"
#include "tools/cli/options.h"

namespace hostapp::cli {

struct Outcome {
  Json document;     // --json: exactly this on standard output
  std::string text;  // for people: whole lines, everything from outside escaped
  enum class Kind {
    kDone,    // a summary of what was done: not with --quiet
    kAnswer,  // what was asked for: always
  } kind = Kind::kDone;
  int exit_status = 0;  // of a verb that ran through and found something wrong
};

// Writes the result, or the error: one line "<tool>: <chain>" on the console and, with --json, {"error": {"code",
// "message"}} on `out`. Returns the exit status.
int Print(std::string_view tool, const Result<Outcome>& result, const CommonOptions& options, int out,
          Console& console);

}  // namespace hostapp::cli
