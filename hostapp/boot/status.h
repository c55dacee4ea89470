// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hostapp/boot/device.h"
#include "ostree-integration/sysroot/measure_deployments.h"

namespace hostapp {

struct DeploymentStatus {
  Deployment deployment;
  State state = State::kUnproven;
  DeploymentSize size;
};

struct StatusReport {
  std::optional<Booted> booted;
  bootsel::Ledger ledger;
  DeploymentSerial next_boot = 0;                           // 0: nothing bootable
  bootsel::Reason next_reason = bootsel::Reason::kDefault;  // why
  std::vector<DeploymentStatus> deployments;                // newest first
  std::vector<std::string> warnings;
};

// What runs, what boots next and why, the last failure. Changes nothing and takes no lock.
// kCorrupt when both slots of the ledger are lost.
Result<StatusReport> GetStatus(const Device& device, OpContext& ctx);

}  // namespace hostapp
