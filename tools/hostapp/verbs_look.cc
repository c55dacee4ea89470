// SPDX-License-Identifier: Apache-2.0
// status, etc diff, mount, unmount: looking, without changing.
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/etc_diff.h"
#include "hostapp/lifecycle/mount.h"
#include "hostapp/lifecycle/watchdog.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

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

Result<Done> Run(const StatusVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  ASSIGN_OR_RETURN(StatusReport report, GetStatus(device, ctx));
  if (report.booted) {
    if (auto warning = WatchdogWarning("/")) report.warnings.push_back(std::move(*warning));
  }
  return Done{RenderStatus(report)};
}

Result<Done> Run(const LogVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  ASSIGN_OR_RETURN(const History history, ReadHistory(device.sysroot));
  return Done{RenderLog(history)};
}

Result<Done> Run(const EtcDiffVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  ASSIGN_OR_RETURN(const DeploymentSerial serial, WhichEtc(device, verb.serial));
  ASSIGN_OR_RETURN(const std::vector<EtcChange> changes, EtcDiff(device, serial, ctx));
  return Done{RenderEtcDiff(serial, changes)};
}

Result<Done> Run(const MountVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  TRY(MountDeployment(device, verb.serial, verb.dir, ctx));
  return Done{{.document = Json::Object{{"serial", verb.serial}, {"dir", verb.dir}},
               .text = StrCat("deployment ", verb.serial, " is mounted on ", Escape(verb.dir), "\n")}};
}

Result<Done> Run(const UnmountVerb& verb, const Target& /*target*/, OpContext& ctx) {
  TRY(UnmountDeployment(verb.dir, ctx));
  return Done{{.document = Json::Object{{"dir", verb.dir}}, .text = StrCat(Escape(verb.dir), " is unmounted\n")}};
}

}  // namespace hostapp::cli
