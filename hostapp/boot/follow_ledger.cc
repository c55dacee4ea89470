// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/follow_ledger.h"

#include <algorithm>

#include "hostapp/base/strings.h"
#include "hostapp/boot/firmware.h"
#include "ostree-integration/sysroot/boot_sets.h"
#include "ostree-integration/sysroot/history.h"

namespace hostapp {
namespace {

bool Has(const std::vector<uint64_t>& serials, uint64_t serial) {
  return std::find(serials.begin(), serials.end(), serial) != serials.end();
}

// The entry of a deployment that the ledger names; staged again where the loader has lost it.
Result<BootEntry> EntryIn(Loader& loader, const LoaderState& state, const Device& device, DeploymentSerial serial,
                          OpContext& ctx) {
  ASSIGN_OR_RETURN(const Deployment deployment, LoadDeployment(device.sysroot, serial));
  BootEntry entry = EntryOf(deployment);
  if (!Has(state.entries, serial)) TRY(loader.Stage(entry, ctx));
  return entry;
}

// The loader's count measures the way to the helper: once user space of the trial is reached, it is as the ledger's.
// Before that it only goes down, or a trial that never gets there would be tried for ever.
int TriesFor(const bootsel::Trial& trial, const LoaderState& state, const Device& device) {
  const bool armed = state.trial && state.trial->serial == trial.serial;
  if (!armed || device.Runs(trial.serial)) return trial.tries_left;
  return std::min<int>(trial.tries_left, state.trial->tries_left);
}

// The one before the default, if it is proven and still there (`gc --give-up-previous` takes it from the ledger first):
// what the loader goes back to by itself.
DeploymentSerial ProvenPrevious(const Device& device, const bootsel::Ledger& ledger) {
  const DeploymentSerial serial = ledger.previous.serial;
  const bool counts = serial != bootsel::kNoSerial && serial != ledger.default_deployment.serial &&
                      serial != ledger.trial.serial && IsComplete(device.sysroot, serial);
  return counts && HasMark(device.sysroot, serial, Mark::kGood) ? serial : bootsel::kNoSerial;
}

// Only a warning: nothing that it lacks may keep the loader from the default and the trial. Before those are told, for
// systemd-boot's adapter then takes away what has no mark.
void KeepPrevious(Loader& loader, const LoaderState& state, const Device& device, const bootsel::Ledger& ledger,
                  OpContext& ctx) {
  const DeploymentSerial serial = ProvenPrevious(device, ledger);
  if (serial == bootsel::kNoSerial || Has(state.proven, serial)) return;
  const Result<BootEntry> entry = EntryIn(loader, state, device, serial, ctx);
  const Status marked = entry.ok() ? loader.Mark(*entry, ctx) : Status(entry.error());
  if (marked.ok()) return;
  ctx.log.Warning(
      StrCat("the boot loader cannot go back to deployment ", serial, " by itself: ", marked.error().message()));
}

Status Follow(Loader& loader, const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  const bootsel::Ledger& ledger = stored.ledger;
  if (ledger.default_deployment.serial == bootsel::kNoSerial) return Ok();
  ASSIGN_OR_RETURN(const LoaderState state, loader.Read());
  KeepPrevious(loader, state, device, ledger, ctx);
  ASSIGN_OR_RETURN(const BootEntry fallback, EntryIn(loader, state, device, ledger.default_deployment.serial, ctx));
  if (ledger.trial.serial == bootsel::kNoSerial) return loader.Bless(fallback, ctx);
  ASSIGN_OR_RETURN(const BootEntry trial, EntryIn(loader, state, device, ledger.trial.serial, ctx));
  return loader.Arm(fallback, trial, TriesFor(ledger.trial, state, device), ctx);
}

}  // namespace

Status FollowLedger(const Device& device, const LedgerLock& lock, OpContext& ctx) {
  // For people only: that it cannot be written must not keep the loader from following.
  if (const Status recorded = RecordHistory(lock, device.sysroot, ctx); !recorded.ok()) {
    ctx.log.Write(LogLevel::kWarning, StrCat("recording what happened: ", recorded.error().message()));
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, OpenLoader(device.sysroot));
  if (loader->kind() == LoaderKind::kNone) return Ok();
  // Before a trial is armed that needs it.
  if (const Status told = PrepareFirmware(device, ctx); !told.ok()) {
    ctx.log.Warning(StrCat("telling the firmware to start the boot loader again when it gives up on a trial: ",
                           told.error().message()));
  }
  return Follow(*loader, device, ctx)
      .While("the boot ledger is written, but making the boot loader (", LoaderName(loader->kind()),
             ") follow it, which the next boot or `hostapp reconcile` tries again");
}

Result<std::optional<std::string>> WhyLoaderGaveUp(const Device& device, const bootsel::Ledger& ledger) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, OpenLoader(device.sysroot));
  ASSIGN_OR_RETURN(const LoaderState state, loader->Read());
  const bool armed = state.trial && state.trial->serial == ledger.trial.serial;
  if (!armed || ledger.trial.tries_left == 0) return std::optional<std::string>();
  if (state.trial->tries_left == 0) return std::optional<std::string>("the boot loader started it as often as it may");
  // Armed, and the default runs: either this is the boot in which it was armed, or the loader went on to the default.
  ASSIGN_OR_RETURN(const Deployment trial, LoadDeployment(device.sysroot, ledger.trial.serial));
  const Status intact = CheckBootSet(device.sysroot, trial.boot_set);
  if (intact.ok() || intact.error().code() == Errc::kIo) return std::optional<std::string>();
  return std::optional<std::string>(intact.error().message());
}

Result<std::optional<std::string>> WhatLoaderLacks(const Device& device) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, OpenLoader(device.sysroot));
  if (loader->kind() == LoaderKind::kNone) return std::optional<std::string>();
  ASSIGN_OR_RETURN(const LoaderState state, loader->Read());
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  const DeploymentSerial fallback = stored.ledger.default_deployment.serial, trial = stored.ledger.trial.serial;
  const DeploymentSerial armed = state.trial ? state.trial->serial : bootsel::kNoSerial;
  const DeploymentSerial previous = ProvenPrevious(device, stored.ledger);
  for (const DeploymentSerial needed : {fallback, trial, previous}) {
    if (needed == bootsel::kNoSerial || Has(state.entries, needed)) continue;
    return std::optional(StrCat(LoaderName(loader->kind()), " has no whole entry for deployment ", needed));
  }
  if (state.default_serial != fallback) {
    return std::optional(StrCat(LoaderName(loader->kind()), " starts deployment ", state.default_serial,
                                " by default, the boot ledger says ", fallback));
  }
  if (armed != trial) {
    return std::optional(StrCat(LoaderName(loader->kind()), " tries deployment ", armed, ", the boot ledger says ",
                                trial, " (0: none)"));
  }
  if (!state.damaged.empty()) {
    return std::optional(StrCat(LoaderName(loader->kind()), "'s ", state.damaged, " is damaged, its copy counts"));
  }
  for (const DeploymentSerial serial : {fallback, previous}) {
    if (serial == bootsel::kNoSerial || Has(state.proven, serial)) continue;
    if (serial == fallback) {
      ASSIGN_OR_RETURN(const Deployment deployment, LoadDeployment(device.sysroot, fallback));
      if (!deployment.good) continue;
    }
    return std::optional(
        StrCat(LoaderName(loader->kind()), " does not know that deployment ", serial, " has proved itself"));
  }
  return std::optional<std::string>();
}

Status StageEntry(const StoreLock& /*lock*/, const Device& device, const Deployment& deployment, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, OpenLoader(device.sysroot));
  return loader->Stage(EntryOf(deployment), ctx);
}

Status RemoveEntriesExcept(const StoreLock& /*lock*/, const Device& device, const std::vector<DeploymentSerial>& kept,
                           OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, OpenLoader(device.sysroot));
  ASSIGN_OR_RETURN(const LoaderState state, loader->Read());
  for (const uint64_t serial : state.entries) {
    const bool needed =
        Has(kept, serial) || serial == state.default_serial || (state.trial && state.trial->serial == serial);
    if (!needed) TRY(loader->Remove(serial, ctx));
  }
  return Ok();
}

}  // namespace hostapp
