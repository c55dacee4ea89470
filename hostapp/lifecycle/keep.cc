// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/keep.h"

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/boot/follow_ledger.h"
#include "hostapp/boot/pin.h"
#include "ostree-integration/deploy/boot_set.h"
#include "ostree-integration/store/merge.h"
#include "ostree-integration/sysroot/history.h"

namespace hostapp {
namespace {

// Why the boot ledger or the running system needs a deployment, or nothing.
std::string_view NeededAs(const Device& device, const bootsel::Ledger& ledger, DeploymentSerial serial) {
  if (device.Runs(serial)) return "is running";
  if (serial == ledger.default_deployment.serial) return "is the default";
  if (serial == ledger.previous.serial) return "is the previous one";
  if (serial == ledger.trial.serial) return "is on trial";
  if (serial == ledger.trial.etc_from) return "is where the trial's /etc begins";
  return {};
}

struct Kept {
  std::vector<DeploymentSerial> serials;
  std::set<Digest> manifests;
  std::set<HashValue> boot_sets;
};

struct Garbage {
  Kept kept;
  std::vector<DeploymentSerial> deployments;  // incomplete ones too
};

Result<Garbage> FindGarbage(const Device& device, OpContext& ctx) {
  Garbage garbage;
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  ASSIGN_OR_RETURN(const std::vector<DeploymentSerial> serials, DeploymentFolders(device.sysroot));
  for (const DeploymentSerial serial : serials) {
    const bool needed = !NeededAs(device, stored.ledger, serial).empty();
    const bool pinned = HasMark(device.sysroot, serial, Mark::kPinned) && IsComplete(device.sysroot, serial);
    if (!needed && !pinned) {
      garbage.deployments.push_back(serial);
      continue;
    }
    // One whose record cannot be read may be the one that boots, and what it needs is not known: nothing is collected.
    ASSIGN_OR_RETURN(
        const Deployment deployment,
        LoadDeployment(device.sysroot, serial).While("nothing was removed, for what is needed is not known"));
    garbage.kept.serials.push_back(serial);
    garbage.kept.manifests.insert(deployment.manifest_digest);
    garbage.kept.boot_sets.insert(deployment.boot_set);
  }
  TRY(ctx.cancel.Check());
  return garbage;
}

// What an interrupted ReplaceFile() left beside the records that stay. Under the ledger's lock: nobody writes one now.
Status RemoveUnfinishedRecords(const Device& device, const Kept& kept, OpContext& ctx) {
  for (const std::string_view name : {kLedgerName, kHistoryName, kLoaderConfigName}) {
    TRY(RemoveFile(device.sysroot.hostapp(), StrCat(".", name, ".new"), ctx.sys));
  }
  for (const DeploymentSerial serial : kept.serials) {
    for (const std::string_view name : {"deployment.json", "good", "pinned"}) {
      TRY(RemoveFile(device.sysroot.deployments(), StrCat(serial, "/.", name, ".new"), ctx.sys));
    }
  }
  return Ok();
}

// An image that has lost its ref would be taken for one that nobody needs.
Status CheckImages(const ImageStore& store, const Kept& kept) {
  for (const Digest& manifest : kept.manifests) {
    ASSIGN_OR_RETURN(const std::optional<ImageInfo> image, FindImage(store, manifest));
    if (image) continue;
    return Error(Errc::kCorrupt, StrCat("the store has no ref for the image ", manifest.Short(),
                                        " of a deployment; nothing was removed; run: hostapp fsck --repair"));
  }
  return Ok();
}

// Under the ledger's lock: what is needed must not change between looking and deciding. Removing whole trees takes
// seconds, and mark-good waits for that lock: here they only cease to be deployments.
Result<Garbage> DecideGarbage(const Device& device, const ImageStore& store, PruneMode mode, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock ledger_lock, LedgerLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(Garbage garbage, FindGarbage(device, ctx));
  TRY(CheckImages(store, garbage.kept));
  if (mode == PruneMode::kDryRun) return garbage;
  for (const DeploymentSerial serial : garbage.deployments) TRY(RetireDeployment(device.sysroot, serial, ctx));
  TRY(RemoveUnfinishedRecords(device, garbage.kept, ctx));
  return garbage;
}

Status CollectBootSets(const StoreLock& lock, const Device& device, const Kept& kept, PruneMode mode,
                       GarbageReport& report, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::vector<HashValue> sets, ListBootSets(device.sysroot));
  for (const HashValue& set : sets) {
    if (kept.boot_sets.contains(set)) continue;
    report.boot_sets += 1;
    ASSIGN_OR_RETURN(const uint64_t bytes, mode == PruneMode::kDryRun ? BootSetBytes(device.sysroot, set)
                                                                      : RemoveBootSet(lock, device.sysroot, set, ctx));
    report.boot_bytes += bytes;
  }
  report.bytes += report.boot_bytes;
  return Ok();
}

std::vector<DeploymentSerial> CompleteOnes(const Device& device, std::vector<DeploymentSerial> serials) {
  std::erase_if(serials, [&](DeploymentSerial serial) { return !IsComplete(device.sysroot, serial); });
  return serials;
}

Result<DeploymentSerial> Dispensable(const Device& device, const bootsel::Ledger& ledger) {
  const DeploymentSerial previous = ledger.previous.serial, by_default = ledger.default_deployment.serial;
  if (previous == bootsel::kNoSerial) return Error(Errc::kNotFound, "there is no previous deployment");
  const bool runs = !device.booted || device.Runs(by_default);
  if (runs && HasMark(device.sysroot, by_default, Mark::kGood)) return previous;
  return Error(Errc::kBusy, StrCat("deployment ", previous, " is what the device goes back to: the default, ",
                                   by_default, runs ? ", was never marked good" : ", is not what runs"));
}

}  // namespace

Status Remove(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  {
    ASSIGN_OR_RETURN(const LedgerLock ledger_lock, LedgerLock::Acquire(device.sysroot, ctx));
    ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
    // One that cannot be read may be removed as well.
    TRY(CheckIsThere(device, serial));
    const std::string_view needed = NeededAs(device, stored.ledger, serial);
    if (!needed.empty())
      return Error(Errc::kBusy, StrCat("deployment ", serial, " ", needed, " and cannot be removed"));
    TRY(RetireDeployment(device.sysroot, serial, ctx));
  }
  ASSIGN_OR_RETURN(const std::vector<DeploymentSerial> kept, DeploymentFolders(device.sysroot));
  TRY(RemoveEntriesExcept(lock, device, CompleteOnes(device, kept), ctx));
  return RemoveDeployment(lock, device.sysroot, serial, ctx);
}

Result<GarbageReport> CollectGarbage(const Device& device, PruneMode mode, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  return CollectGarbage(lock, device, mode, {}, ctx);
}

Result<GarbageReport> CollectGarbage(const StoreLock& lock, const Device& device, PruneMode mode,
                                     const AlsoNeeded& also, OpContext& ctx) {
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(Garbage garbage, DecideGarbage(device, store, mode, ctx));
  for (const Digest& image : also.images) {
    // One that is being pulled may have a damaged ref, which nobody needs: the pull writes it again.
    ASSIGN_OR_RETURN(const bool merged, IsMerged(store, image));
    if (merged) garbage.kept.manifests.insert(image);
  }
  if (mode == PruneMode::kRemove) TRY(RemoveEntriesExcept(lock, device, garbage.kept.serials, ctx));
  GarbageReport report;
  for (const DeploymentSerial serial : garbage.deployments) {
    if (mode == PruneMode::kRemove) TRY(RemoveDeployment(lock, device.sysroot, serial, ctx));
    report.deployments.push_back(serial);
  }
  TRY(CollectBootSets(lock, device, garbage.kept, mode, report, ctx));
  ASSIGN_OR_RETURN(const PruneReport pruned, Prune(store, garbage.kept.manifests, also.unfinished, mode, ctx));
  report.refs = pruned.refs.size();
  report.objects = pruned.objects;
  report.bytes += pruned.object_bytes + pruned.leftover_bytes;
  return report;
}

Result<DeploymentSerial> DispensablePrevious(const Device& device) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  return Dispensable(device, stored.ledger);
}

Result<DeploymentSerial> GiveUpPrevious(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  DeploymentSerial given_up = bootsel::kNoSerial;
  TRY(ChangeLedger(lock, device.sysroot, ctx, [&](bootsel::Ledger& ledger) -> Status {
    ASSIGN_OR_RETURN(given_up, Dispensable(device, ledger));
    ledger.previous = {};
    return Ok();
  }));
  TRY(FollowLedger(device, lock, ctx));
  return given_up;
}

}  // namespace hostapp
