// SPDX-License-Identifier: Apache-2.0
// Boot#### variables of UEFI firmware, several for one loader.
//
// systemd-boot does not go on to the next entry when a kernel is rubbish or an initrd is missing: it returns to the
// firmware, which takes its next option. With tries + 1 options for the same loader, a broken trial costs its tries,
// one option each, and the last starts the default; with one, firmware ends in its own shell.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

// A GPT partition, as the firmware finds it again.
struct EfiPartition {
  uint32_t number = 0;  // from 1
  uint64_t first_block = 0;
  uint64_t blocks = 0;
  std::string guid;  // its PARTUUID, lower case
  bool operator==(const EfiPartition&) const = default;
};

struct EfiBootOption {
  bool active = true;
  std::string description;  // ASCII
  EfiPartition partition;
  std::string path;  // of the loader: "\\EFI\\BOOT\\BOOTX64.EFI", ASCII
  bool operator==(const EfiBootOption&) const = default;
};

// EFI_LOAD_OPTION. kInvalid for a PARTUUID that is none, or text that is not ASCII.
Result<std::string> EncodeEfiBootOption(const EfiBootOption& option);
// Nothing for what does not start a file of a GPT partition.
std::optional<EfiBootOption> ParseEfiBootOption(std::string_view bytes);

// Whether both start the same loader: the partition's GUID and the path, which knows no case. Firmware may have changed
// the rest.
bool StartsTheSame(const EfiBootOption& a, const EfiBootOption& b);

struct EfiBootVariables {
  std::map<uint16_t, std::string> options;  // Boot####, without attributes
  std::vector<uint16_t> order;              // BootOrder
};

struct EfiBootPlan {
  std::map<uint16_t, std::string> added;
  std::vector<uint16_t> order;  // ours first, then what was there
  bool operator==(const EfiBootPlan&) const = default;
};

// Makes the first `count` options of the order start what `wanted` starts; existing ones are used. Nothing to do:
// nothing added and the order as it is. kNoSpace when all numbers are taken.
Result<EfiBootPlan> PlanEfiBootOptions(const EfiBootVariables& variables, const EfiBootOption& wanted, int count);

// `efivars`: a folder as efivarfs has it (/sys/firmware/efi/efivars). kIo, kCorrupt for a BootOrder that is there and
// cannot be read.
Result<EfiBootVariables> ReadEfiBootVariables(int efivars);

// Adds what is missing; the options first, BootOrder last: the commit point. Writes nothing when nothing is missing.
// kNotFound, saying so, where the firmware's variables are not there at all; kIo, kNoSpace from writing them.
Status EnsureEfiBootOptions(int efivars, const EfiBootOption& wanted, int count, OpContext& ctx);

}  // namespace hostapp
