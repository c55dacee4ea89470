// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hostapp/boot/device.h"

namespace hostapp {

// A pinned deployment is never collected. kNotFound: no such deployment.
Status Pin(const Device& device, DeploymentSerial serial, OpContext& ctx);
Status Unpin(const Device& device, DeploymentSerial serial, OpContext& ctx);

// kNotFound where there is no such deployment. One that cannot be read is there as well.
Status CheckIsThere(const Device& device, DeploymentSerial serial);

}  // namespace hostapp
