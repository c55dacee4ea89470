// SPDX-License-Identifier: Apache-2.0
// init, factory-reset, etc diff: the device's own tree.
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/etc_diff.h"
#include "hostapp/lifecycle/factory_reset.h"
#include "hostapp/lifecycle/init_sysroot.h"
#include "tools/hostapp/store/render.h"
#include "tools/hostapp/store/verbs.h"
#include "tools/hostapp/target.h"

namespace hostapp::cli {
namespace {

// The one named, else the running one, else (off the device) the default.
Result<DeploymentSerial> WhichEtc(const Device& device, std::optional<DeploymentSerial> named) {
  if (named) return *named;
  if (device.booted) return device.booted->serial;
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  if (stored.ledger.default_deployment.serial != bootsel::kNoSerial) return stored.ledger.default_deployment.serial;
  return Error(Errc::kNotFound, "nothing is deployed here yet");
}

}  // namespace

Result<Done> Run(const InitVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const SysrootPaths paths, PathsOf(target, BootNeed::kNothing, ctx));
  TRY(InitSysroot(paths, ctx));
  return Done{{.document = Json::Object{{"sysroot", paths.root}, {"boot", paths.boot}},
               .text = StrCat(Escape(paths.root), " is ready for: hostapp deploy REFERENCE\n")}};
}

Result<Done> Run(const FactoryResetVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  if (verb.what == FactoryResetVerb::What::kCancel) {
    TRY(CancelFactoryReset(device, ctx));
    return Done{RenderNoFactoryReset()};
  }
  TRY(CheckMayRestart(verb.restart, device));
  ASSIGN_OR_RETURN(const std::vector<std::string> kept, RequestFactoryReset(device, verb.keep, ctx));
  return Done{RenderFactoryReset(kept), verb.restart == Restart::kYes ? After::kRestart : After::kNothing};
}

Result<Done> Run(const EtcDiffVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  ASSIGN_OR_RETURN(const DeploymentSerial serial, WhichEtc(device, verb.serial));
  ASSIGN_OR_RETURN(const std::vector<EtcChange> changes, EtcDiff(device, serial, ctx));
  return Done{RenderEtcDiff(serial, changes)};
}

}  // namespace hostapp::cli
