// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hostapp/boot/device.h"

namespace hostapp {

struct EtcChange {
  enum class Kind { kAdded, kModified, kRemoved } kind = Kind::kAdded;
  std::string path;  // below /etc
};

// What differs between a deployment's /etc and its image's, by path. kNotFound: no such deployment.
Result<std::vector<EtcChange>> EtcDiff(const Device& device, DeploymentSerial serial, OpContext& ctx);

}  // namespace hostapp
