// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp-image/run.h"

#include <unistd.h>

#include "tools/cli/arguments.h"
#include "tools/cli/session.h"
#include "tools/hostapp-image/verbs.h"

namespace hostapp::cli {
namespace {

constexpr std::string_view kTool = "hostapp-image";

}  // namespace

int RunHostappImage(const std::vector<std::string>& arguments) {
  Console console(STDERR_FILENO);
  const auto parsed = ParseImageCommandLine(arguments);
  if (!parsed.ok()) return Print(kTool, parsed.error(), OptionsForUsageErrors(arguments), STDOUT_FILENO, console);
  if (const HelpText* help = std::get_if<HelpText>(&*parsed)) {
    return Print(kTool, Outcome{.document = {}, .text = help->text}, {}, STDOUT_FILENO, console);
  }
  const ImageCommandLine& line = std::get<ImageCommandLine>(*parsed);
  Session session(line.common, console);
  const Result<Outcome> outcome =
      std::visit([&](const auto& verb) -> Result<Outcome> { return Run(verb, session.ctx()); }, line.verb);
  session.EndProgress();
  return Print(kTool, outcome, line.common, STDOUT_FILENO, console);
}

}  // namespace hostapp::cli
