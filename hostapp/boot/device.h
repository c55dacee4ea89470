// SPDX-License-Identifier: Apache-2.0
// What every verb begins with.
#pragma once

#include <optional>
#include <vector>

#include "ostree-integration/sysroot/arm_trial.h"
#include "ostree-integration/sysroot/booted.h"
#include "ostree-integration/sysroot/deployment.h"
#include "ostree-integration/sysroot/ledger_file.h"

namespace hostapp {

// An open sysroot, and what runs if it is the running system's.
struct Device {
  Sysroot sysroot;
  std::optional<Booted> booted;

  bool Runs(DeploymentSerial serial) const { return booted && booted->serial == serial; }
};

Result<Device> OpenDevice(const SysrootPaths& paths, OpContext& ctx);

// The part of a deployment in what boots.
enum class State { kDefault, kPrevious, kTrial, kProven, kUnproven, kFailed };
std::string_view StateName(State state);
State StateOf(const Deployment& deployment, const bootsel::Ledger& ledger);

}  // namespace hostapp
