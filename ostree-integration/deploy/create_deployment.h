// SPDX-License-Identifier: Apache-2.0
// From a merged image to a complete deployment. What boots is not changed here.
#pragma once

#include "ostree-integration/deploy/boot_set.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/sysroot/deployment.h"

namespace hostapp {

struct NewDeployment {
  std::string reference;
  Digest manifest_digest;
  std::string commit;
  std::optional<std::string> version;
  std::vector<std::string> image_arguments;
  std::vector<std::string> device_arguments;
  BootSet boot_set;
  RootKind root = RootKind::kCheckout;
  bool root_chosen = false;
};

// The serial that the next deployment gets: one more than any that a folder or the ledger names. kCorrupt: there is
// none left.
Result<DeploymentSerial> NextSerial(const Sysroot& sysroot);

// `tree` is that of the image. Writes it (root.cfs or a checkout) and, with `ctx.jobs` above 1 beside it, stages the
// boot set; makes both durable; and writes deployment.json last: the commit point. A crash before leaves an incomplete
// folder and perhaps a boot set, which gc removes. On an error the folder is removed here. Its etc/ is the helper's:
// made with the first boot, and what is there by then counts as complete.
Result<Deployment> CreateDeployment(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store,
                                    const ImageTree& tree, const NewDeployment& wanted, OpContext& ctx);

}  // namespace hostapp
