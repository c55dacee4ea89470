// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hostapp/boot/device.h"

namespace hostapp {

// Mounts the tree of a deployment, with its own /etc, read-only on the folder `dir`, as the helper would. Needs
// CAP_SYS_ADMIN (kIo otherwise). kNotFound: no such deployment or folder; kBusy: something is mounted on `dir`.
Status MountDeployment(const Device& device, DeploymentSerial serial, const std::string& dir, OpContext& ctx);

// Ends it. kNotFound when nothing of ours is mounted there; kBusy while it is in use.
Status UnmountDeployment(const std::string& dir, OpContext& ctx);

}  // namespace hostapp
