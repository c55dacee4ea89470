// SPDX-License-Identifier: Apache-2.0
// The grub.cfg of a device: static, it finds entries that were added after it was written.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace hostapp {

inline constexpr size_t kMaxGrubTopBytes = 64;

// `top` (at most that long) is the path of the folder above hostapp/ on the file system that GRUB's $root is: "" for a
// boot partition,
// "/boot" for a folder of the root file system. For GRUB 2.06 and later; grub-script-check(1) accepts it.
std::string GrubConfig(std::string_view top);

// The modules that a core image needs to run it from an ext4 or FAT file system on GPT, on any platform.
std::string_view GrubModules();

}  // namespace hostapp
