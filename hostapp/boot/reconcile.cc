// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/reconcile.h"

#include <algorithm>

#include "hostapp/base/clock.h"
#include "hostapp/base/strings.h"
#include "hostapp/boot/follow_ledger.h"

namespace hostapp {
namespace {

// The newest proven deployment is the default, the one before it `previous`; the running one, if proven, comes first.
Result<bootsel::Ledger> LedgerFromProven(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(std::vector<Deployment> proven, LoadDeployments(device.sysroot, ctx));
  std::erase_if(proven, [](const Deployment& deployment) { return !deployment.good; });
  if (proven.empty()) {
    return Error(Errc::kCorrupt, "making the boot ledger again: no deployment here was ever marked good");
  }
  ASSIGN_OR_RETURN(const std::vector<DeploymentSerial> folders, DeploymentFolders(device.sysroot));
  std::stable_sort(proven.begin(), proven.end(), [&](const Deployment& a, const Deployment& b) {
    const auto rank = [&](const Deployment& d) { return std::pair(device.Runs(d.serial), d.serial); };
    return rank(a) > rank(b);
  });
  bootsel::Ledger ledger;
  ledger.distrusted_up_to = folders.empty() ? bootsel::kNoSerial : folders.back();
  ledger.default_deployment = Name(proven[0]);
  if (proven.size() > 1) ledger.previous = Name(proven[1]);
  return ledger;
}

Status RemakeIfLost(const Device& device, const LedgerLock& lock, ReconcileReport& report, OpContext& ctx) {
  const Result<StoredLedger> stored = ReadLedger(device.sysroot);
  if (stored.ok()) return Ok();
  if (stored.error().code() != Errc::kCorrupt && stored.error().code() != Errc::kNotFound) return stored.error();
  ASSIGN_OR_RETURN(const bootsel::Ledger ledger, LedgerFromProven(device, ctx));
  TRY(RemakeLedger(lock, device.sysroot, ledger, ctx));
  report.settled.push_back(
      StrCat("the boot ledger was lost and made again with deployment ", ledger.default_deployment.serial));
  return Ok();
}

// Damaged or gone, not only unreadable now.
bool IsLost(const Status& record) {
  return !record.ok() && (record.error().code() == Errc::kCorrupt || record.error().code() == Errc::kNotFound);
}

// What cannot be asked, about a trial that does not run, says nothing against it.
std::optional<std::string> WhetherLoaderGaveUp(const Device& device, const bootsel::Ledger& ledger, OpContext& ctx) {
  Result<std::optional<std::string>> gave_up = WhyLoaderGaveUp(device, ledger);
  if (gave_up.ok()) return *std::move(gave_up);
  ctx.log.Warning(StrCat("asking whether the boot loader gave up on deployment ", ledger.trial.serial, ": ",
                         gave_up.error().message()));
  return std::nullopt;
}

// Never an error: whatever is wrong with a trial must not keep the attempts of a sound default, or it would give way.
void SettleTrial(const Device& device, bootsel::Ledger& ledger, ReconcileReport& report, OpContext& ctx) {
  const bootsel::Trial trial = ledger.trial;
  if (trial.serial == bootsel::kNoSerial) return;
  if (HasMark(device.sysroot, trial.serial, Mark::kGood)) {
    bootsel::PromoteTrial(ledger);
    report.settled.push_back(
        StrCat("deployment ", trial.serial, " had been marked good when that was interrupted; it is the default now"));
    return;
  }
  if (device.Runs(trial.serial)) return;
  if (const Status there = LoadDeployment(device.sysroot, trial.serial).status(); IsLost(there)) {
    bootsel::FailTrial(ledger, bootsel::Cause::kMount, there.error().message(), PlausibleNow(ctx.clock));
    report.settled.push_back(StrCat("deployment ", trial.serial, " cannot be tried: ", there.error().message()));
    return;
  }
  if (const std::optional<std::string> gave_up = WhetherLoaderGaveUp(device, ledger, ctx); gave_up) {
    bootsel::FailTrial(ledger, bootsel::Cause::kLoaderGaveUp, *gave_up, PlausibleNow(ctx.clock));
    report.settled.push_back(StrCat("deployment ", trial.serial, " never reached its initramfs: ", *gave_up));
    return;
  }
  if (trial.tries_left == 0) {
    bootsel::FailTrial(ledger, bootsel::Cause::kNoTriesLeft, "", PlausibleNow(ctx.clock));
    report.settled.push_back(StrCat("deployment ", trial.serial, " used up its tries without being marked good"));
  }
}

// So that `upgrade` leaves alone what gave way, as it does a failed trial, if its record can still say which release
// that is. Not the one that runs now under other arguments: there they were at fault.
void RememberRelease(const Device& device, DeploymentSerial gave_way, bootsel::Ledger& ledger) {
  const Result<Deployment> old = LoadDeployment(device.sysroot, gave_way);
  if (!old.ok()) return;
  ledger.last_failure.manifest = LedgerManifest(old->manifest_digest);
  const Result<Deployment> running = LoadDeployment(device.sysroot, ledger.default_deployment.serial);
  if (running.ok() && running->manifest_digest == old->manifest_digest) return;
  ledger.failed.Add(ledger.last_failure.manifest);
}

Status SettleBoot(const Device& device, bootsel::Ledger& ledger, ReconcileReport& report, OpContext& ctx) {
  if (!device.booted) return Ok();
  const Booted& booted = *device.booted;
  bootsel::Digest boot_set;
  // Read only where it is used: a damaged deployment.json of the running default must not keep its attempts counting.
  if (booted.reason == bootsel::Reason::kDefaultGaveWay) {
    ASSIGN_OR_RETURN(const Deployment running, LoadDeployment(device.sysroot, booted.serial));
    boot_set = LedgerDigest(running.boot_set);
  }
  const DeploymentSerial before = ledger.default_deployment.serial;
  bootsel::ReachUserSpace(ledger, booted.serial, boot_set, booted.reason, PlausibleNow(ctx.clock));
  if (ledger.default_deployment.serial != before) {
    RememberRelease(device, before, ledger);
    report.settled.push_back(
        StrCat("deployment ", before, " did not reach user space; deployment ", booted.serial, " is the default now"));
  }
  return Ok();
}

}  // namespace

Result<ReconcileReport> Reconcile(const Device& device, OpContext& ctx) {
  ReconcileReport report;
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  TRY(RemakeIfLost(device, lock, report, ctx));
  TRY(ChangeLedger(lock, device.sysroot, ctx, [&](bootsel::Ledger& ledger) -> Status {
    TRY(SettleBoot(device, ledger, report, ctx));
    SettleTrial(device, ledger, report, ctx);
    return Ok();
  }));
  TRY(FollowLedger(device, lock, ctx));
  return report;
}

Result<bool> GiveTryBackAtShutdown(const Device& device, OpContext& ctx) {
  bool given = false;
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  TRY(ChangeLedger(lock, device.sysroot, ctx, [&](bootsel::Ledger& ledger) -> Status {
    if (device.Runs(ledger.trial.serial)) given = bootsel::GiveTryBack(ledger);
    return Ok();
  }));
  if (given) TRY(FollowLedger(device, lock, ctx));
  return given;
}

}  // namespace hostapp
