// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/rollback.h"

#include "hostapp/base/clock.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

bool HasTrial(const bootsel::Ledger& ledger) { return ledger.trial.serial != bootsel::kNoSerial; }

// The release was given up by hand: `upgrade` leaves it alone from now on, as one that failed.
void EndTrial(bootsel::Ledger& ledger, RollbackReport& report, OpContext& ctx) {
  bootsel::FailTrial(ledger, bootsel::Cause::kMarkedFailed, "ended by a rollback", PlausibleNow(ctx.clock));
  report.trial_ended = true;
  report.serial = ledger.default_deployment.serial;
}

void MakeDefault(bootsel::Ledger& ledger, const bootsel::NamedDeployment& next) {
  if (ledger.default_deployment.serial == next.serial) return;
  ledger.previous = ledger.default_deployment;
  ledger.default_deployment = next;
  ledger.default_attempts = 0;
}

Status GoBack(bootsel::Ledger& ledger, RollbackReport& report, OpContext& ctx) {
  if (HasTrial(ledger)) {
    EndTrial(ledger, report, ctx);
    return Ok();
  }
  if (ledger.previous.serial == bootsel::kNoSerial) {
    return Error(Errc::kNotFound, "there is no previous deployment to go back to");
  }
  MakeDefault(ledger, bootsel::NamedDeployment(ledger.previous));
  report.serial = ledger.default_deployment.serial;
  return Ok();
}

Status GoTo(bootsel::Ledger& ledger, const Deployment& target, RollbackReport& report, OpContext& ctx) {
  if (HasTrial(ledger) && ledger.trial.serial != target.serial) EndTrial(ledger, report, ctx);
  const bool is_default = ledger.default_deployment.serial == target.serial;
  report.on_trial = !target.good && !is_default;
  if (target.good) MakeDefault(ledger, Name(target));
  report.serial = target.serial;
  return Ok();
}

}  // namespace

Result<RollbackReport> Rollback(const Device& device, std::optional<DeploymentSerial> to, OpContext& ctx) {
  RollbackReport report;
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  if (!to) {
    TRY(ChangeLedger(lock, device.sysroot, ctx, [&](bootsel::Ledger& ledger) { return GoBack(ledger, report, ctx); }));
    return report;
  }
  ASSIGN_OR_RETURN(const Deployment target, LoadDeployment(device.sysroot, *to));
  TRY(ChangeLedger(lock, device.sysroot, ctx,
                   [&](bootsel::Ledger& ledger) { return GoTo(ledger, target, report, ctx); }));
  if (!report.on_trial) return report;
  const DeploymentSerial etc_from = device.booted ? device.booted->serial : 0;
  TRY(ArmTrial(lock, device.sysroot, target, kDefaultTries, etc_from, device.booted, ctx));
  return report;
}

}  // namespace hostapp
