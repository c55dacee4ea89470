// SPDX-License-Identifier: Apache-2.0
// `contents`: which objects a deployment's tree needs, in its folder, so that its size is known without a walk.
//
// Eight bytes "HSTCONT1", then for each object of the tree, once, in the order of the ids: the first eight bytes of its
// id, and the size of its content in bytes (both as numbers, big end first). Nothing but what people are told of sizes
// depends on it.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ostree-integration/deploy/check_tree.h"
#include "ostree-integration/deploy/deployment.h"
#include "ostree-integration/store/image_tree.h"

namespace hostapp {

// As a new file of the deployment's folder. Not durable yet.
Status WriteContents(int deployment_dir, std::span<const ObjectSize> objects, OpContext& ctx);

// Holds the list against the image in the store. What is wrong with it, and whether it has been written again; nothing:
// all is well, or the store cannot say (its own check does).
Result<std::optional<TreeProblem>> CheckContents(const Sysroot& sysroot, const ImageStore& store,
                                                 const Deployment& deployment, TreeRepair repair, OpContext& ctx);

struct DeploymentSize {
  uint64_t total = 0;   // bytes of content of its tree, and of root.cfs
  uint64_t unique = 0;  // of those, what no other deployment shares: what its removal and a gc would free
};

// The sizes of all of them, in their order, in one pass over their lists, 32 KiB of memory each. A list that is missing
// or damaged is an error in its place, and counts for the others as far as it could be read.
std::vector<Result<DeploymentSize>> MeasureDeployments(const Sysroot& sysroot, std::span<const Deployment> deployments,
                                                       OpContext& ctx);

}  // namespace hostapp
