// SPDX-License-Identifier: Apache-2.0
// A deployment's tree held against the image that it was made from.
#pragma once

#include <string>
#include <vector>

#include "ostree-integration/store/image_store.h"
#include "ostree-integration/sysroot/deployment.h"

namespace hostapp {

struct TreeProblem {
  std::string path;  // below the root
  std::string what;
  bool repaired = false;
};

enum class TreeRepair { kNo, kYes };

// A composefs root: the digest of root.cfs; repaired by writing it again, which a running deployment sees at the next
// boot. A checkout root: compares every name and type of the deployment's root with its commit, owner, mode and
// extended attributes of its folders, and of files and links that are not the store's objects themselves all that they
// have. Repairs, when asked, file by file: a new link of the object takes the damaged one's name, so a running
// deployment is mended under its feet; a folder gets its attributes back. The store has been verified before
// (CheckStore()). Nothing on a device changes a folder of a root: it is mounted read-only, and /etc and /var are
// others.
Result<std::vector<TreeProblem>> CheckTree(const Sysroot& sysroot, const ImageStore& store,
                                           const Deployment& deployment, TreeRepair repair, OpContext& ctx);

}  // namespace hostapp
