// SPDX-License-Identifier: Apache-2.0
// init, rollback, marks, reconcile, factory-reset: what decides what boots.
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/factory_reset.h"
#include "hostapp/lifecycle/init_sysroot.h"
#include "hostapp/lifecycle/mark.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {

Result<Done> Run(const InitVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const SysrootPaths paths, PathsOf(target, BootNeed::kNothing));
  TRY(InitSysroot(paths, ctx));
  return Done{{.document = Json::Object{{"sysroot", paths.root}, {"boot", paths.boot}},
               .text = StrCat(Escape(paths.root), " is ready for: hostapp deploy REFERENCE\n")}};
}

Result<Done> Run(const RollbackVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLedger, ctx));
  TRY(CheckMayRestart(verb.restart, device));
  ASSIGN_OR_RETURN(const RollbackReport report, Rollback(device, verb.to, ctx));
  return Done{RenderRollback(report), verb.restart == Restart::kYes ? After::kRestart : After::kNothing};
}

Result<Done> Run(const MarkGoodVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLedger, ctx));
  ASSIGN_OR_RETURN(const DeploymentSerial serial, MarkGood(device, ctx));
  return Done{RenderSerial(serial, StrCat("deployment ", serial, " is good and the default"))};
}

Result<Done> Run(const MarkFailedVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLedger, ctx));
  ASSIGN_OR_RETURN(const DeploymentSerial serial, MarkFailed(device, bootsel::Cause::kMarkedFailed, verb.reason, ctx));
  return Done{RenderSerial(serial, StrCat("deployment ", serial, " has failed; the default boots next"))};
}

Result<Done> Run(const ReconcileVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLedger, ctx));
  if (verb.when == ReconcileVerb::When::kShutdown) {
    ASSIGN_OR_RETURN(const bool given, GiveTryBackAtShutdown(device, ctx));
    return Done{RenderGiveBack(given)};
  }
  ASSIGN_OR_RETURN(const ReconcileReport report, Reconcile(device, ctx));
  return Done{RenderReconcile(report)};
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

}  // namespace hostapp::cli
