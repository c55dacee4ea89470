// SPDX-License-Identifier: Apache-2.0
// One boot, from the physical root to a composed deployment: ledger, choice, try, mounts, and again with the next
// candidate where one cannot be booted.
#pragma once

#include <string_view>

#include "initramfs/bootsel/choose.h"
#include "initramfs/helper/console.h"
#include "initramfs/helper/ledger_file.h"
#include "initramfs/helper/mounts.h"

namespace hostapp::initramfs {

struct BootSettings {
  const char* physical = "";  // where the physical root is mounted
  std::string_view cmdline;   // the kernel's
  const char* init = "";      // what will be started
};

enum class Outcome : uint8_t {
  kComposed,  // below kNewRoot; /run/hostapp/boot tells of it
  kRestart,   // for another kernel
  kNothing,   // bootable; said on the console
};

Outcome ComposeBoot(const BootSettings& settings, Console& console);

}  // namespace hostapp::initramfs
