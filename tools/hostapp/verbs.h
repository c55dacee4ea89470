// SPDX-License-Identifier: Apache-2.0
// What each verb that needs no store does: opens what it needs, calls hostapp/boot, hands back what is to be said.
// A verb that has no Run() here is the second program's (tools/hostapp/store/verbs.h).
#pragma once

#include "tools/cli/output.h"
#include "tools/hostapp/command_line.h"

namespace hostapp::cli {

// What is done after the result has been printed.
enum class After {
  kNothing,
  kRestart,        // as asked for
  kForcedRestart,  // if need be without asking every service: a release that failed its checks is running
};

struct Done {
  Outcome outcome;
  After after = After::kNothing;
};

Result<Done> Run(const StatusVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const RollbackVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const MarkGoodVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const MarkFailedVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const ReconcileVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const PinVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const UnpinVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const MountVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const UnmountVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const LogVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const KargsVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const HealthRunVerb& verb, const Target& target, OpContext& ctx);
Result<Done> Run(const HealthProveVerb& verb, const Target& target, OpContext& ctx);

}  // namespace hostapp::cli
