// SPDX-License-Identifier: Apache-2.0
// The hardware watchdog: whatever hangs from here on ends in a reset, which counts as a failed try.
#pragma once

#include <string_view>

#include "initramfs/helper/console.h"

namespace hostapp::initramfs {

inline constexpr uint64_t kMaxWatchdogSeconds = 3600;

// The seconds that `hostapp.watchdog=` asks for, or 0: nothing asked for, no number of 1 to kMaxWatchdogSeconds, or no
// `systemd.watchdog_sec=` beside it. Without the second, nobody would feed what the first starts.
uint64_t WatchdogSeconds(std::string_view cmdline);

// Starts `device` with that timeout, if one is asked for, and leaves it running: it is closed without the magic
// character, so the kernel keeps it ticking until systemd opens it. An open watchdog would keep systemd from that.
void StartWatchdog(std::string_view cmdline, const char* device, Console& console);
inline constexpr const char* kWatchdogDevice = "/dev/watchdog0";

}  // namespace hostapp::initramfs
