// SPDX-License-Identifier: Apache-2.0
// status, log, kargs, mount, unmount: looking, without changing.
#include "hostapp/base/strings.h"
#include "hostapp/boot/mount.h"
#include "hostapp/boot/watchdog.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {
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

Result<Done> Run(const KargsVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kLook, ctx));
  ASSIGN_OR_RETURN(const KernelArguments current, GetKernelArguments(device));
  return Done{RenderKernelArguments(current)};
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
