// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/device.h"

namespace hostapp {

Result<Device> OpenDevice(const SysrootPaths& paths, OpContext& ctx) {
  ASSIGN_OR_RETURN(Sysroot sysroot, Sysroot::Open(paths, ctx));
  ASSIGN_OR_RETURN(std::optional<Booted> booted, ReadBooted(sysroot));
  return Device{.sysroot = std::move(sysroot), .booted = booted};
}

std::string_view StateName(State state) {
  switch (state) {
    case State::kDefault:
      return "default";
    case State::kPrevious:
      return "previous";
    case State::kTrial:
      return "trial";
    case State::kProven:
      return "proven";
    case State::kUnproven:
      return "unproven";
    case State::kFailed:
      return "failed";
  }
  return "unproven";
}

State StateOf(const Deployment& deployment, const bootsel::Ledger& ledger) {
  if (deployment.serial == ledger.default_deployment.serial) return State::kDefault;
  if (deployment.serial == ledger.trial.serial) return State::kTrial;
  if (deployment.serial == ledger.previous.serial) return State::kPrevious;
  const bool failed = deployment.serial == ledger.last_failure.serial ||
                      ledger.failed.Contains(LedgerManifest(deployment.manifest_digest));
  if (deployment.good) return State::kProven;
  return failed ? State::kFailed : State::kUnproven;
}

}  // namespace hostapp
