// SPDX-License-Identifier: Apache-2.0
// Which deployments stay: pins, removal, collection of the rest.
#pragma once

#include <set>
#include <vector>

#include "hostapp/lifecycle/device.h"
#include "ostree-integration/store/prune.h"

namespace hostapp {

// A pinned deployment is never collected. kNotFound: no such deployment.
Status Pin(const Device& device, DeploymentSerial serial, OpContext& ctx);
Status Unpin(const Device& device, DeploymentSerial serial, OpContext& ctx);

// Removes a deployment, pinned or not; its objects go with the next gc. kBusy for the running one, the default,
// previous and the trial; kNotFound.
Status Remove(const Device& device, DeploymentSerial serial, OpContext& ctx);

struct GarbageReport {
  std::vector<DeploymentSerial> deployments;
  uint64_t boot_sets = 0;
  uint64_t refs = 0;
  uint64_t objects = 0;
  uint64_t bytes = 0;  // of objects, boot sets and unfinished work
};

// Removes what nothing needs: deployments that are neither running, default, previous, trial nor pinned, interrupted
// ones, boot sets and images that no deployment left uses, unfinished work. kBusy while another process has the store.
// A crash leaves some of it for the next time; never a deployment without its files.
Result<GarbageReport> CollectGarbage(const Device& device, PruneMode mode, OpContext& ctx);

}  // namespace hostapp
