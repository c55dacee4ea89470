// SPDX-License-Identifier: Apache-2.0
// The boot script of a device with U-Boot: static, all that changes stands in hostapp/uboot/.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/base/bytes.h"

namespace hostapp {

// x86: `zboot`. arm64: `booti`, with the board's device tree from the boot set (dtb/${fdtfile}) where it has one.
enum class UbootArch { kX86, kArm64 };

enum class UbootCounting {
  // The script counts down in state-0 and state-1, before it starts the kernel.
  kState,
  // The board does: `bootcount`, which user space sets to 0, beside `bootlimit` and `altbootcmd`. For boards whose
  // U-Boot cannot write to the boot file system. State-0 and state-1 say how many tries there were when it was armed.
  kBootcount,
};

struct UbootScriptOptions {
  UbootArch arch = UbootArch::kX86;
  UbootCounting counting = UbootCounting::kState;
  std::string top;  // path of the folder above hostapp/ on the partition that the script is on: "" or "/boot"
};

// For `source`, on ${devtype} ${devnum}:${distro_bootpart}, as every distro boot command sets them. Shell constructs of
// U-Boot's old hush only: no arithmetic, no functions, no lists of files.
std::string UbootScript(const UbootScriptOptions& options);

// For kBootcount: what the board's own environment needs, one name=value a line (fw_setenv --script takes the same with
// a space). More starts in a row than `bootlimit`, and the script is run without its trial.
std::string UbootBootcountEnvironment();

// A script as the legacy image that `source` wants: what `mkimage -T script -C none` makes of it, without a time.
std::string UbootScriptImage(std::string_view script, UbootArch arch);

}  // namespace hostapp
