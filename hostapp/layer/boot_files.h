// SPDX-License-Identifier: Apache-2.0
// Which paths of a root file system a device copies to its boot file system (docs/formats.md, "A boot set").
#pragma once

#include <optional>
#include <string_view>

namespace hostapp {

// A kernel, an initramfs or a device tree, by its path without a leading slash.
bool IsBootFile(std::string_view path);

// The version that the path of a kernel names: usr/lib/modules/<version>/vmlinuz or boot/vmlinuz-<version>; nothing for
// any other path.
std::optional<std::string_view> KernelVersionOf(std::string_view path);

}  // namespace hostapp
