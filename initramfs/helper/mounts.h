// SPDX-License-Identifier: Apache-2.0
// Runs a plan: after it, the deployment is composed below kNewRoot, apart from the physical root.
#pragma once

#include "initramfs/helper/etc_overlay.h"
#include "initramfs/helper/plan.h"

namespace hostapp::initramfs {

inline constexpr const char* kNewRoot = "/run/hostapp/root";

struct Composition {
  EtcState etc;
  CopyStats filled;  // of /var and what lives there, in this boot
};

// `physical` is the path of the physical root and `root` its descriptor. `etc_from`: see PrepareEtc(). On false nothing
// is left mounted below kNewRoot; what was filled stays, complete.
bool RunPlan(const MountPlan& plan, const char* physical, int root, bootsel::Serial etc_from, Composition& made,
             Problem& why);

// Takes down what RunPlan() mounted.
void Unmount();

// Makes the composed tree appear at `physical`, and the physical root inside it at /sysroot.
bool PutInPlace(const char* physical, Problem& why);

}  // namespace hostapp::initramfs
