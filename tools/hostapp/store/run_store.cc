// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp/store/run_store.h"

#include "tools/hostapp/run.h"
#include "tools/hostapp/store/verbs.h"

namespace hostapp::cli {

int RunStoreProgram(const std::vector<std::string>& arguments) {
  return RunArguments(arguments, [](const CommandLine& line, Console& console) {
    return RunVerb(line, console, [&](OpContext& ctx) {
      return std::visit([&](const auto& verb) { return Run(verb, line.target, ctx); }, line.verb);
    });
  });
}

}  // namespace hostapp::cli
