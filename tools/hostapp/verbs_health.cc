// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/health.h"

#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/keep.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {
namespace {

// Now the releases before the previous one are not needed any more. No update hangs on it: what cannot be done now, the
// next one does.
void CollectOldReleases(const Target& target, OpContext& ctx) {
  const auto collect = [&]() -> Result<GarbageReport> {
    ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
    return CollectGarbage(device, PruneMode::kRemove, ctx);
  };
  if (const Result<GarbageReport> report = collect(); !report.ok()) {
    ctx.log.Warning(StrCat("old releases are still there: ", report.error().message()));
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
