// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ostree-integration/sysroot/sysroot.h"

namespace hostapp {

// Makes the folders, the store and the ledger of a sysroot. A second time changes nothing; one that was interrupted is
// completed. Commit point: none, every step stands for itself.
Status InitSysroot(const SysrootPaths& paths, OpContext& ctx);

}  // namespace hostapp
