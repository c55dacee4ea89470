// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp/run.h"

#include <unistd.h>

#include "hostapp/base/run_program.h"
#include "tools/cli/arguments.h"
#include "tools/cli/session.h"

namespace hostapp::cli {
namespace {

constexpr std::chrono::seconds kRestartTimeout{90};

Status Systemctl(std::vector<std::string> argv, OpContext& ctx) {
  argv.insert(argv.begin(), "systemctl");
  ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(argv, kRestartTimeout, ctx));
  if (result.end == ProgramResult::End::kExited && result.code == 0) return Ok();
  return Error(Errc::kIo, StrCat("restarting: systemctl says: ", Escape(Trim(result.output))));
}

Status DoAfter(After after, OpContext& ctx) {
  if (after == After::kNothing) return Ok();
  Status asked = Systemctl({"reboot"}, ctx);
  if (asked.ok() || after == After::kRestart) return asked;
  return Systemctl({"--force", "reboot"}, ctx);
}

}  // namespace

int RunVerb(const CommandLine& line, Console& console, const std::function<Result<Done>(OpContext&)>& run) {
  Session session(line.common, console);
  Result<Done> done = run(session.ctx());
  session.EndProgress();
  if (!done.ok()) return Print(kTool, std::move(done).error(), line.common, STDOUT_FILENO, console);
  const int status = Print(kTool, done->outcome, line.common, STDOUT_FILENO, console);
  const Status after = DoAfter(done->after, session.ctx());
  if (after.ok()) return status;
  console.Line(StrCat(kTool, ": ", after.error().message()));
  return ExitCode(after.error().code());
}

int RunArguments(const std::vector<std::string>& arguments,
                 const std::function<int(const CommandLine&, Console&)>& run) {
  Console console(STDERR_FILENO);
  const auto parsed = ParseCommandLine(arguments);
  if (!parsed.ok()) return Print(kTool, parsed.error(), OptionsForUsageErrors(arguments), STDOUT_FILENO, console);
  if (const HelpText* help = std::get_if<HelpText>(&*parsed)) {
    return Print(kTool, Outcome{.document = {}, .text = help->text}, {}, STDOUT_FILENO, console);
  }
  return run(std::get<CommandLine>(*parsed), console);
}

}  // namespace hostapp::cli
