// SPDX-License-Identifier: Apache-2.0
// Which deployments stay: removal, and collection of what is not needed. (Pins: boot/pin.h.)
#pragma once

#include <set>
#include <vector>

#include "hostapp/boot/device.h"
#include "ostree-integration/store/prune.h"

namespace hostapp {

// Removes a deployment, pinned or not; its objects go with the next gc. kBusy for the running one, the default,
// previous, the trial and the one whose changes to /etc the trial begins with; kNotFound.
Status Remove(const Device& device, DeploymentSerial serial, OpContext& ctx);

struct GarbageReport {
  std::vector<DeploymentSerial> deployments;
  uint64_t boot_sets = 0;
  uint64_t refs = 0;
  uint64_t objects = 0;
  uint64_t bytes = 0;       // of objects, boot sets and unfinished work
  uint64_t boot_bytes = 0;  // of those: on the boot file system
};

// Removes what nothing needs: deployments that are neither pinned nor among those that Remove() refuses, interrupted
// ones, boot sets and images that no deployment left uses, unfinished work. kBusy while another process has the store.
// A crash leaves some of it for the next time; never a deployment without its files.
Result<GarbageReport> CollectGarbage(const Device& device, PruneMode mode, OpContext& ctx);

// What stays besides, for who is in the middle of something.
struct AlsoNeeded {
  std::set<Digest> images;      // merged
  UnfinishedImport unfinished;  // what is there of one that is not yet
};

// The same for who has the store already.
Result<GarbageReport> CollectGarbage(const StoreLock& lock, const Device& device, PruneMode mode,
                                     const AlsoNeeded& also, OpContext& ctx);

// The previous deployment, if the device could do without: the default is proven and is what runs (off the device:
// would). kNotFound: there is none. kBusy: the device may yet have to go back to it.
Result<DeploymentSerial> DispensablePrevious(const Device& device);

// Forgets `previous`, so that it is garbage unless it is pinned. Commit point: the ledger. Errors as above.
Result<DeploymentSerial> GiveUpPrevious(const Device& device, OpContext& ctx);

}  // namespace hostapp
