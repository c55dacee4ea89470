// SPDX-License-Identifier: Apache-2.0
// Whether a hang would end by itself.
#pragma once

#include <optional>
#include <string>

#include "hostapp/base/result.h"

namespace hostapp {

// What a user should know about the watchdog of the system whose sysfs is below `root`: there is none, or none runs.
// Nothing while one does, or where the kernel says nothing about it (no CONFIG_WATCHDOG_SYSFS).
std::optional<std::string> WatchdogWarning(const std::string& root);

}  // namespace hostapp
