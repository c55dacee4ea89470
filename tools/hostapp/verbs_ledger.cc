// SPDX-License-Identifier: Apache-2.0
// rollback, marks, reconcile, pins: what decides what boots, and what stays.
#include "hostapp/base/strings.h"
#include "hostapp/boot/mark.h"
#include "hostapp/boot/pin.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {

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

}  // namespace hostapp::cli
