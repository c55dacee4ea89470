// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hostapp/boot/device.h"
#include "tools/hostapp/command_line.h"

namespace hostapp::cli {

// Where the device's tree is. A --sysroot that is the running device's own counts as found. kInvalid where none is
// named and none is found.
Result<SysrootPaths> PathsOf(const Target& target, BootNeed need, OpContext& ctx);

enum class Use {
  kLook,    // nothing on the boot file system is needed
  kLedger,  // what boots changes: a boot file system that cannot be had is a warning, for the ledger comes first
  kAll,
};
Result<Device> OpenTarget(const Target& target, Use use, OpContext& ctx);

// kInvalid for --reboot with a tree that is not the running system's: refused before anything is done.
Status CheckMayRestart(Restart restart, const Device& device);

// A layout's or archive's path from the root folder on: `upgrade` reads it from another working folder.
Result<Reference> Anchored(Reference reference);

}  // namespace hostapp::cli
