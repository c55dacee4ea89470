// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/rollback.h"

#include "hostapp/base/clock.h"
#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/boot/follow_ledger.h"

namespace hostapp {
namespace {

bool HasTrial(const bootsel::Ledger& ledger) { return ledger.trial.serial != bootsel::kNoSerial; }

// The release was given up by hand: `upgrade` leaves it alone from now on, as one that failed. The mark that a
// mark-good left which was cut short goes first: a cut after it leaves an ordinary trial, one before it what there was.
// With the ledger lost, what was given up would boot for that mark.
Status EndTrial(const Device& device, bootsel::Ledger& ledger, RollbackReport& report, OpContext& ctx) {
  Status cleared = ClearMark(device.sysroot, ledger.trial.serial, Mark::kGood, ctx);
  if (!cleared.ok() && cleared.error().code() != Errc::kNotFound) return cleared;  // a deployment that is gone has none
  bootsel::FailTrial(ledger, bootsel::Cause::kMarkedFailed, "ended by a rollback", PlausibleNow(ctx.clock));
  report.trial_ended = true;
  report.serial = ledger.default_deployment.serial;
  return Ok();
}

void MakeDefault(bootsel::Ledger& ledger, const bootsel::NamedDeployment& next) {
  if (ledger.default_deployment.serial == next.serial) return;
  ledger.previous = ledger.default_deployment;
  ledger.default_deployment = next;
  ledger.default_attempts = 0;
  ledger.foreign_boots = 0;
}

Status GoBack(const Device& device, bootsel::Ledger& ledger, RollbackReport& report, OpContext& ctx) {
  if (HasTrial(ledger)) return EndTrial(device, ledger, report, ctx);
  if (ledger.previous.serial == bootsel::kNoSerial) {
    return Error(Errc::kNotFound, "there is no previous deployment to go back to");
  }
  // What is not there, or cannot be read, must not become what boots.
  TRY(LoadDeployment(device.sysroot, ledger.previous.serial).status());
  MakeDefault(ledger, bootsel::NamedDeployment(ledger.previous));
  report.serial = ledger.default_deployment.serial;
  return Ok();
}

// The changes to /etc are copied again when a trial is armed again: the helper does so where it finds no folder of
// them.
Status ForgetEtcChanges(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  if (device.Runs(serial)) return Ok();  // its /etc is in use
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(device.sysroot, serial, ctx));
  if (!Exists(dir.get(), "etc")) return Ok();
  ASSIGN_OR_RETURN(const UniqueFd tmp, OpenDir(device.sysroot.root(), kTmpDir, ctx.sys));
  const std::string old = StrCat("old-etc-", serial);
  TRY(RemoveTree(tmp.get(), old, ctx.sys));
  // In one step: half of the changes must never look like all of them.
  TRY(Rename(dir.get(), "etc", tmp.get(), old, ctx.sys));
  TRY(SyncDir(dir.get(), ctx.sys));
  return RemoveTree(tmp.get(), old, ctx.sys);
}

Status TryAgain(const Device& device, bootsel::Ledger& ledger, const Deployment& target, OpContext& ctx) {
  TRY(CheckNoTrialRuns(ledger, device.booted));
  TRY(ForgetEtcChanges(device, target.serial, ctx));
  StartTrial(ledger, target, kDefaultTries, device.booted ? device.booted->serial : ledger.default_deployment.serial);
  return Ok();
}

Status GoTo(const Device& device, bootsel::Ledger& ledger, const Deployment& target, RollbackReport& report,
            OpContext& ctx) {
  report.serial = target.serial;
  const bool is_trial = ledger.trial.serial == target.serial;
  if (is_trial && target.good) {  // a mark-good that was cut short
    bootsel::PromoteTrial(ledger);
    return Ok();
  }
  if (HasTrial(ledger) && !is_trial) {
    TRY(EndTrial(device, ledger, report, ctx));
    report.serial = target.serial;
  }
  const bool is_default = ledger.default_deployment.serial == target.serial;
  report.on_trial = !target.good && !is_default;
  if (report.on_trial) return TryAgain(device, ledger, target, ctx);
  MakeDefault(ledger, Name(target));
  return Ok();
}

}  // namespace

Result<RollbackReport> Rollback(const Device& device, std::optional<DeploymentSerial> to, OpContext& ctx) {
  RollbackReport report;
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  if (!to) {
    TRY(ChangeLedger(lock, device.sysroot, ctx,
                     [&](bootsel::Ledger& ledger) { return GoBack(device, ledger, report, ctx); }));
    TRY(FollowLedger(device, lock, ctx));
    return report;
  }
  ASSIGN_OR_RETURN(const Deployment target, LoadDeployment(device.sysroot, *to));
  TRY(ChangeLedger(lock, device.sysroot, ctx,
                   [&](bootsel::Ledger& ledger) { return GoTo(device, ledger, target, report, ctx); }));
  TRY(FollowLedger(device, lock, ctx));
  return report;
}

}  // namespace hostapp
