// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/mark.h"

#include "hostapp/base/clock.h"
#include "hostapp/base/strings.h"
#include "hostapp/boot/follow_ledger.h"

namespace hostapp {
namespace {

Status CheckTrialRuns(const Device& device, const bootsel::Ledger& ledger) {
  if (ledger.trial.serial == bootsel::kNoSerial) return Error(Errc::kNotFound, "no deployment is on trial");
  if (!device.booted || device.Runs(ledger.trial.serial)) return Ok();
  return Error(Errc::kNotFound, StrCat("deployment ", ledger.trial.serial, " is on trial, but deployment ",
                                       device.booted->serial, " is running"));
}

Status CheckOwnKernel(const Device& device) {
  if (!device.booted || device.booted->kernel != bootsel::Kernel::kForeign) return Ok();
  return Error(Errc::kNotFound,
               StrCat("deployment ", device.booted->serial,
                      " runs under a kernel that another deployment brought: nothing is proved by that"));
}

}  // namespace

Result<DeploymentSerial> MarkGood(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  DeploymentSerial serial = 0;
  const auto promote = [&](bootsel::Ledger& ledger) -> Status {
    TRY(CheckTrialRuns(device, ledger));
    TRY(CheckOwnKernel(device));
    serial = ledger.trial.serial;
    TRY(SetMark(device.sysroot, serial, Mark::kGood, ctx));
    bootsel::PromoteTrial(ledger);
    return Ok();
  };
  TRY(ChangeLedger(lock, device.sysroot, ctx, promote));
  TRY(FollowLedger(device, lock, ctx));
  return serial;
}

Result<DeploymentSerial> MarkFailed(const Device& device, bootsel::Cause cause, std::string_view reason,
                                    OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  DeploymentSerial serial = 0;
  const auto fail = [&](bootsel::Ledger& ledger) -> Status {
    TRY(CheckTrialRuns(device, ledger));
    serial = ledger.trial.serial;
    // Left by a mark-good that was cut short: what has failed must not boot as a proven one when the ledger is lost.
    TRY(ClearMark(device.sysroot, serial, Mark::kGood, ctx));
    bootsel::FailTrial(ledger, cause, reason, PlausibleNow(ctx.clock));
    return Ok();
  };
  TRY(ChangeLedger(lock, device.sysroot, ctx, fail));
  TRY(FollowLedger(device, lock, ctx));
  return serial;
}

}  // namespace hostapp
