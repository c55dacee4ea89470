// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/health.h"

#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {

Result<Done> Run(const HealthRunVerb& /*verb*/, const Target& /*target*/, OpContext& ctx) {
  ASSIGN_OR_RETURN(const HealthReport report, RunHealthChecks(ReadHealthOptions("/", ctx), ctx));
  return Done{RenderHealth(report)};
}

Result<Done> Run(const HealthProveVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLedger, ctx));
  ASSIGN_OR_RETURN(const ProofReport report, ProveRunning(device, ReadHealthOptions("/", ctx), ctx));
  const bool failed = report.verdict == ProofReport::Verdict::kFailed;
  return Done{RenderProof(report), failed ? After::kForcedRestart : After::kNothing};
}

}  // namespace hostapp::cli
