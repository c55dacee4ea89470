// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "ostree-integration/deploy/deployment.h"

namespace hostapp {

struct DeploymentSize {
  uint64_t total = 0;   // bytes of content of its tree
  uint64_t unique = 0;  // of those, what no other deployment shares: what its removal and a gc would free
};

// Walks the checkout root: a file that only the store and this tree link to is unique to it.
Result<DeploymentSize> MeasureDeployment(const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx);

}  // namespace hostapp
