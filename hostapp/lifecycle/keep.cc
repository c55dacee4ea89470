// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/keep.h"

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/boot_set.h"

namespace hostapp {
namespace {

// Why a deployment must stay, or nothing.
std::string_view NeededAs(const Device& device, const bootsel::Ledger& ledger, DeploymentSerial serial) {
  if (device.Runs(serial)) return "is running";
  if (serial == ledger.default_deployment.serial) return "is the default";
  if (serial == ledger.previous.serial) return "is the previous one";
  if (serial == ledger.trial.serial) return "is on trial";
  return {};
}

struct Kept {
  std::set<DeploymentSerial> serials;
  std::set<Digest> manifests;
  std::set<HashValue> boot_sets;
};

struct Garbage {
  Kept kept;
  std::vector<DeploymentSerial> deployments;
};

Result<Garbage> FindGarbage(const Device& device, OpContext& ctx) {
  Garbage garbage;
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  ASSIGN_OR_RETURN(const std::vector<Deployment> deployments, LoadDeployments(device.sysroot, ctx));
  for (const Deployment& deployment : deployments) {
    const bool needed = !NeededAs(device, stored.ledger, deployment.serial).empty();
    if (!needed && !deployment.pinned) {
      garbage.deployments.push_back(deployment.serial);
      continue;
    }
    garbage.kept.serials.insert(deployment.serial);
    garbage.kept.manifests.insert(deployment.manifest_digest);
    garbage.kept.boot_sets.insert(deployment.boot_set);
  }
  ASSIGN_OR_RETURN(const std::vector<DeploymentSerial> incomplete, IncompleteDeployments(device.sysroot));
  garbage.deployments.insert(garbage.deployments.end(), incomplete.begin(), incomplete.end());
  return garbage;
}

// One whose record cannot be read may still be the one that boots: then nothing is collected.
Status CheckAllReadable(const Device& device, const Garbage& garbage) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  for (const DeploymentSerial serial :
       {stored.ledger.default_deployment.serial, stored.ledger.previous.serial, stored.ledger.trial.serial}) {
    if (serial == bootsel::kNoSerial || garbage.kept.serials.contains(serial)) continue;
    if (Exists(device.sysroot.deployments(), StrCat(serial, "/deployment.json"))) {
      return Error(Errc::kCorrupt, StrCat("deployment ", serial,
                                          " is named by the boot ledger but cannot be read; nothing was removed; run: "
                                          "hostapp fsck"));
    }
  }
  return Ok();
}

Status CollectBootSets(const StoreLock& lock, const Device& device, const Kept& kept, PruneMode mode,
                       GarbageReport& report, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::vector<HashValue> sets, ListBootSets(device.sysroot));
  for (const HashValue& set : sets) {
    if (kept.boot_sets.contains(set)) continue;
    report.boot_sets += 1;
    ASSIGN_OR_RETURN(const uint64_t bytes, mode == PruneMode::kDryRun ? BootSetBytes(device.sysroot, set)
                                                                      : RemoveBootSet(lock, device.sysroot, set, ctx));
    report.bytes += bytes;
  }
  return Ok();
}

}  // namespace

Status Pin(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  TRY(LoadDeployment(device.sysroot, serial).status());
  return SetMark(device.sysroot, serial, Mark::kPinned, ctx);
}

Status Unpin(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  TRY(LoadDeployment(device.sysroot, serial).status());
  return ClearMark(device.sysroot, serial, Mark::kPinned, ctx);
}

Status Remove(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(const LedgerLock ledger_lock, LedgerLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  TRY(LoadDeployment(device.sysroot, serial).status());
  const std::string_view needed = NeededAs(device, stored.ledger, serial);
  if (!needed.empty()) return Error(Errc::kBusy, StrCat("deployment ", serial, " ", needed, " and cannot be removed"));
  return RemoveDeployment(lock, device.sysroot, serial, ctx);
}

Result<GarbageReport> CollectGarbage(const Device& device, PruneMode mode, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  // What is needed must not change between looking and removing: a rollback waits for these milliseconds.
  GarbageReport report;
  Garbage garbage;
  {
    ASSIGN_OR_RETURN(const LedgerLock ledger_lock, LedgerLock::Acquire(device.sysroot, ctx));
    ASSIGN_OR_RETURN(garbage, FindGarbage(device, ctx));
    TRY(CheckAllReadable(device, garbage));
    for (const DeploymentSerial serial : garbage.deployments) {
      if (mode == PruneMode::kRemove) TRY(RemoveDeployment(lock, device.sysroot, serial, ctx));
      report.deployments.push_back(serial);
    }
  }
  TRY(CollectBootSets(lock, device, garbage.kept, mode, report, ctx));
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(const PruneReport pruned, Prune(store, garbage.kept.manifests, mode, ctx));
  report.refs = pruned.refs.size();
  report.objects = pruned.objects;
  report.bytes += pruned.object_bytes + pruned.leftover_bytes;
  return report;
}

}  // namespace hostapp
