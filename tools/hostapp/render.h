// SPDX-License-Identifier: Apache-2.0
// Reports of hostapp/boot as what the user reads and what programs read. Pure. Absent is null, never a missing key.
#pragma once

#include "hostapp/boot/health.h"
#include "hostapp/boot/kernel_arguments.h"
#include "hostapp/boot/reconcile.h"
#include "hostapp/boot/rollback.h"
#include "hostapp/boot/status.h"
#include "ostree-integration/sysroot/history.h"
#include "tools/cli/output.h"

namespace hostapp::cli {

inline Json TextOrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

Outcome RenderStatus(const StatusReport& report);

Outcome RenderKernelArguments(const KernelArguments& arguments);

Outcome RenderRollback(const RollbackReport& report);
Outcome RenderReconcile(const ReconcileReport& report);
Outcome RenderGiveBack(bool given);
Outcome RenderLog(const History& history);
// Exit status 1 with a failed required check.
Outcome RenderHealth(const HealthReport& report);
Outcome RenderProof(const ProofReport& report);
// {"serial": …} and a line.
Outcome RenderSerial(DeploymentSerial serial, std::string_view line);

}  // namespace hostapp::cli
