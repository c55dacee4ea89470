// SPDX-License-Identifier: Apache-2.0
// A deployment as a boot loader sees it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/hash.h"
#include "hostapp/base/result.h"

namespace hostapp {

struct BootEntry {
  uint64_t serial = 0;
  HashValue boot_set;  // its kernel and initramfs: hostapp/<digest>/{linux,initrd} on the boot file system
  std::vector<std::string> arguments;  // the deployment's own kernel arguments
  std::string version;                 // for people; may be empty
  bool proven = false;                 // was marked good: may be started when the loader has lost its state

  bool operator==(const BootEntry&) const = default;
};

// What the kernel is started with: what was asked for (boot.md, "Identity"), what lets a device come back by itself
// (a restart after a panic, repair without questions, no shell), and the deployment's own arguments, which win: of most
// arguments the last counts.
std::vector<std::string> EntryArguments(const BootEntry& entry);

// What the kernel takes at most: COMMAND_LINE_SIZE on x86 and arm64, without the NUL.
inline constexpr size_t kMaxCommandLineBytes = 2047;

// kInvalid when they are more than that.
Status CheckEntryArguments(const BootEntry& entry);

// An argument without its double quotes, which say the same to the kernel when they stand around all of it or all of
// its value: `a="b c"` gives `a=b c`. Nothing for one that has them elsewhere, which not every loader can pass on.
std::optional<std::string> Unquoted(std::string_view argument);

}  // namespace hostapp
