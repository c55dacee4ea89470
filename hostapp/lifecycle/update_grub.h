// SPDX-License-Identifier: Apache-2.0
// GRUB's program for UEFI, made anew of the running release's GRUB.
#pragma once

#include "hostapp/lifecycle/update_loader.h"
#include "ostree-integration/deploy/loaders/grub_install.h"
#include "ostree-integration/sysroot/open_loader.h"

namespace hostapp {

// Puts it where a boot option of the firmware's looks (kGrubEfiPath) and makes that the first option, once the program
// is on the disk. What the disk was made with (kGrubEfiFallBackPath) stays, and is what firmware starts next.
// `modules`: the folder of GrubPlace. Errors of UpdateLoader().
Result<LoaderUpdate> UpdateGrub(const Device& device, const LoaderConfig& config, const std::string& modules,
                                OpContext& ctx);

// The part on the EFI system partition, `esp`. Caller holds LedgerLock.
Result<LoaderUpdate> ReplaceGrub(int esp, const GrubPlace& place, OpContext& ctx);

}  // namespace hostapp
