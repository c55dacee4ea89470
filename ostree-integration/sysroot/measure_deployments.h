// SPDX-License-Identifier: Apache-2.0
// What each deployment takes on the disk, by the lists of contents in their folders (contents_list.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "ostree-integration/sysroot/contents_list.h"
#include "ostree-integration/sysroot/deployment.h"

namespace hostapp {

struct DeploymentSize {
  uint64_t total = 0;   // bytes of content of its tree, and of root.cfs
  uint64_t unique = 0;  // of those, what no other deployment shares: what its removal and a gc would free
};

// The sizes of all of them, in their order, one list after the other. Memory: about 50 bytes for each object that any
// of them has. A list that is missing or damaged is an error in its place, and counts for the others as far as it could
// be read.
std::vector<Result<DeploymentSize>> MeasureDeployments(const Sysroot& sysroot, std::span<const Deployment> deployments,
                                                       OpContext& ctx);

}  // namespace hostapp
