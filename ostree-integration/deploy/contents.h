// SPDX-License-Identifier: Apache-2.0
// Writes a deployment's list of contents, and holds it against the image (sysroot/measure_deployments.h has what it
// is).
#pragma once

#include <optional>
#include <span>

#include "ostree-integration/deploy/check_tree.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/sysroot/measure_deployments.h"

namespace hostapp {

// As a new file of the deployment's folder. Not durable yet.
Status WriteContents(int deployment_dir, std::span<const ObjectSize> objects, OpContext& ctx);

// Holds the list against the image in the store. What is wrong with it, and whether it has been written again; nothing:
// all is well, or the store cannot say (its own check does).
Result<std::optional<TreeProblem>> CheckContents(const Sysroot& sysroot, const ImageStore& store,
                                                 const Deployment& deployment, TreeRepair repair, OpContext& ctx);

}  // namespace hostapp
