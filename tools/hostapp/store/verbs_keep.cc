// SPDX-License-Identifier: Apache-2.0
// remove, gc, fsck: what stays, and whether it is whole.
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/check_device.h"
#include "hostapp/lifecycle/keep.h"
#include "hostapp/lifecycle/probe_features.h"
#include "tools/hostapp/store/render.h"
#include "tools/hostapp/store/verbs.h"
#include "tools/hostapp/target.h"

namespace hostapp::cli {
namespace {

// Neither ledger nor boot file system: they may be what is wrong.
Result<Done> RunFeatures(const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const SysrootPaths paths, PathsOf(target, BootNeed::kNothing, ctx));
  ASSIGN_OR_RETURN(const std::vector<Feature> features, ProbeFeatures(StrCat(paths.root, "/", kTmpDir), ctx));
  return Done{RenderFeatures(features)};
}

}  // namespace

Result<Done> Run(const RemoveVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  TRY(Remove(device, verb.serial, ctx));
  return Done{RenderSerial(verb.serial,
                           StrCat("deployment ", verb.serial, " is removed; its space comes back with: hostapp gc"))};
}

Result<Done> Run(const GcVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  const PruneMode mode = verb.mode == GcVerb::Mode::kDryRun ? PruneMode::kDryRun : PruneMode::kRemove;
  if (verb.give_up_previous) TRY(GiveUpPrevious(device, ctx).status());
  ASSIGN_OR_RETURN(const GarbageReport report, CollectGarbage(device, mode, ctx));
  return Done{RenderGarbage(report, mode)};
}

Result<Done> Run(const FsckVerb& verb, const Target& target, OpContext& ctx) {
  if (verb.what == FsckVerb::What::kFeatures) return RunFeatures(target, ctx);
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  const RepairMode mode = verb.mode == FsckVerb::Mode::kRepair ? RepairMode::kRepair : RepairMode::kReportOnly;
  ASSIGN_OR_RETURN(const DeviceReport report, CheckDevice(device, mode, {}, ctx));
  return Done{RenderCheck(report)};
}

}  // namespace hostapp::cli
