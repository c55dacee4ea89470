// SPDX-License-Identifier: Apache-2.0
// root.cfs: a deployment's tree in one file.
#pragma once

#include "hostapp/base/hash.h"
#include "ostree-integration/deploy/check_tree.h"
#include "ostree-integration/store/image_tree.h"

namespace hostapp {

// Writes the tree (ImageTree::WriteRootImage() says what and which errors) as the new file `name` in `dir`; returns its
// fs-verity digest. Not durable yet; what an error leaves of it is the caller's to remove. kBusy: the name is taken.
// With fs-verity where the store has it, which tells the helper that its files have.
Result<HashValue> WriteRootFile(const ImageStore& store, const ImageTree& tree, int dir, const std::string& name,
                                OpContext& ctx);

// CheckTree() for a composefs root.
Result<std::vector<TreeProblem>> CheckRootFile(const Sysroot& sysroot, const ImageStore& store,
                                               const Deployment& deployment, TreeRepair repair, OpContext& ctx);

}  // namespace hostapp
