// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp/run_hostapp.h"

#include <unistd.h>

#include "tools/hostapp/run.h"
#include "tools/hostapp/store_program.h"

namespace hostapp::cli {
namespace {

// The verbs of verbs.h. What a boot waits for, or a person who looks, does not load libraries that it has no use for.
template <typename VerbType>
concept RunsHere = requires(const VerbType& verb, const Target& target, OpContext& ctx) {
  Run(verb, target, ctx);
};

}  // namespace

int RunHostapp(const std::vector<std::string>& arguments) {
  return RunArguments(arguments, [&](const CommandLine& line, Console& console) {
    const auto run = [&]<typename VerbType>(const VerbType& verb) {
      if constexpr (RunsHere<VerbType>) {
        return RunVerb(line, console, [&](OpContext& ctx) { return Run(verb, line.target, ctx); });
      } else {
        return Print(kTool, BecomeStoreProgram(arguments), line.common, STDOUT_FILENO, console);
      }
    };
    return std::visit(run, line.verb);
  });
}

}  // namespace hostapp::cli
