// SPDX-License-Identifier: Apache-2.0
// pin, unpin, remove, gc, fsck: what stays, and whether it is whole.
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/probe_features.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {
namespace {

// Neither ledger nor boot file system: they may be what is wrong.
Result<Done> RunFeatures(const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const SysrootPaths paths, PathsOf(target, BootNeed::kNothing));
  ASSIGN_OR_RETURN(const std::vector<Feature> features, ProbeFeatures(StrCat(paths.root, "/", kTmpDir), ctx));
  return Done{RenderFeatures(features)};
}

}  // namespace

Result<Done> Run(const PinVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  TRY(Pin(device, verb.serial, ctx));
  return Done{RenderSerial(verb.serial, StrCat("deployment ", verb.serial, " is pinned"))};
}

Result<Done> Run(const UnpinVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  TRY(Unpin(device, verb.serial, ctx));
  return Done{RenderSerial(verb.serial, StrCat("deployment ", verb.serial, " is not pinned"))};
}

Result<Done> Run(const RemoveVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  TRY(Remove(device, verb.serial, ctx));
  return Done{RenderSerial(verb.serial,
                           StrCat("deployment ", verb.serial, " is removed; its space comes back with: hostapp gc"))};
}

Result<Done> Run(const GcVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  if (verb.give_up_previous) TRY(GiveUpPrevious(device, ctx).status());
  ASSIGN_OR_RETURN(const GarbageReport report, CollectGarbage(device, verb.mode, ctx));
  return Done{RenderGarbage(report, verb.mode)};
}

Result<Done> Run(const FsckVerb& verb, const Target& target, OpContext& ctx) {
  if (verb.what == FsckVerb::What::kFeatures) return RunFeatures(target, ctx);
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  ASSIGN_OR_RETURN(const DeviceReport report, CheckDevice(device, verb.mode, {}, ctx));
  return Done{RenderCheck(report)};
}

}  // namespace hostapp::cli
