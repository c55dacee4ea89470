// SPDX-License-Identifier: Apache-2.0
// What both programs do about their verbs: understand the arguments, run, print, restart.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/console.h"
#include "tools/hostapp/command_line.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {

// What messages begin with: the second program is nobody's to know.
inline constexpr std::string_view kTool = "hostapp";

// Arguments (without the program's name) to exit status. Help and what is wrong with the arguments is answered here;
// otherwise `run` is.
int RunArguments(const std::vector<std::string>& arguments,
                 const std::function<int(const CommandLine&, Console&)>& run);

// Runs one verb in a session of its own, prints the outcome, does what is to be done after it; the exit status.
int RunVerb(const CommandLine& line, Console& console, const std::function<Result<Done>(OpContext&)>& run);

}  // namespace hostapp::cli
