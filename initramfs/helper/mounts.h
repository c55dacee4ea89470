// SPDX-License-Identifier: Apache-2.0
// Runs a plan: after it, the deployment is composed at kNewRoot, where its tree is mounted, apart from the physical
// root.
#pragma once

#include "initramfs/helper/etc_overlay.h"
#include "initramfs/helper/plan.h"
#include "initramfs/helper/tree.h"

namespace hostapp::initramfs {

struct Composition {
  Tree tree;  // at kNewRoot
  EtcState etc;
  CopyStats filled;  // of /var and what lives there, in this boot
};

// `made` has the tree. `etc_from`: see PrepareEtc(). On false what was mounted so far is for Unmount(); what was filled
// stays, complete.
bool RunPlan(const MountPlan& plan, const Trees& trees, bootsel::Serial etc_from, Composition& made, Problem& why);

// Makes the composed tree appear at `physical`, and the physical root inside it at /sysroot.
bool PutInPlace(const char* physical, Problem& why);

}  // namespace hostapp::initramfs
