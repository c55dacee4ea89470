// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/init_sysroot.h"

#include "ostree-integration/store/image_store.h"
#include "ostree-integration/sysroot/ledger_file.h"

namespace hostapp {

Status InitSysroot(const SysrootPaths& paths, OpContext& ctx) {
  TRY(MakeSysrootDirs(paths, ctx));
  ASSIGN_OR_RETURN(const Sysroot sysroot, Sysroot::Open(paths, ctx));
  ASSIGN_OR_RETURN(const ImageStore store, ImageStore::Create(sysroot.root(), ctx));
  return CreateLedger(sysroot, ctx);
}

}  // namespace hostapp
