// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/health.h"

#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/run.h"
#include "tools/hostapp/store_program.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {
namespace {

// Far more than it takes: only a collection that hangs is ended.
constexpr std::chrono::hours kCollectTimeout{1};
constexpr std::string_view kWarning = "warning: ";

// What the last line says, without the program's name; what became of the program where it said nothing.
std::string Complaint(const ProgramResult& result) {
  std::string_view line = Trim(result.output);
  if (const size_t end = line.rfind('\n'); end != std::string_view::npos) line.remove_prefix(end + 1);
  const std::string name = StrCat(kTool, ": ");
  if (line.starts_with(name)) line.remove_prefix(name.size());
  return line.empty() ? result.Ending() : std::string(line);
}

Status RunCollection(const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::string program, FindStoreProgram());
  std::vector<std::string> argv = {program, "--quiet", "--progress=none"};
  if (target.sysroot) argv.push_back(StrCat("--sysroot=", *target.sysroot));
  if (target.boot) argv.push_back(StrCat("--boot=", *target.boot));
  argv.emplace_back("gc");
  ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(argv, kCollectTimeout, ctx));
  if (!result.Succeeded()) return Error(Errc::kIo, Complaint(result));
  for (const std::string_view line : Split(result.output, '\n')) {
    if (line.starts_with(kWarning)) ctx.log.Warning(line.substr(kWarning.size()));
  }
  return Ok();
}

// Now the releases before the previous one are not needed any more. No update hangs on it: what cannot be done now, the
// next one does.
void CollectOldReleases(const Target& target, OpContext& ctx) {
  if (const Status collected = RunCollection(target, ctx); !collected.ok()) {
    ctx.log.Warning(StrCat("old releases are still there: ", collected.error().message()));
  }
}

}  // namespace

Result<Done> Run(const HealthRunVerb& /*verb*/, const Target& /*target*/, OpContext& ctx) {
  ASSIGN_OR_RETURN(const HealthReport report, RunHealthChecks(ReadHealthOptions("/", ctx), ctx));
  return Done{RenderHealth(report)};
}

Result<Done> Run(const HealthProveVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLedger, ctx));
  ASSIGN_OR_RETURN(const ProofReport report, ProveRunning(device, ReadHealthOptions("/", ctx), ctx));
  if (report.verdict == ProofReport::Verdict::kGood) CollectOldReleases(target, ctx);
  const bool failed = report.verdict == ProofReport::Verdict::kFailed;
  return Done{RenderProof(report), failed ? After::kForcedRestart : After::kNothing};
}

}  // namespace hostapp::cli
