// SPDX-License-Identifier: Apache-2.0
// U-Boot's plain environment format, which `env import -c` checks and `env export -c` writes, and what we keep in it.
// Pure.
//
//   u32  CRC-32 of all that follows, little-endian
//   name=value NUL  …  NUL, then zeros up to the size that the file always has
//
// The format with a flag byte for redundant copies is another one: a U-Boot built with it reads none of ours.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/hash.h"

namespace hostapp {

using UbootVariables = std::map<std::string, std::string>;

// `size` bytes. Names and values have no NUL, no value is empty (U-Boot would take it as "delete this") or has a
// backslash (it would be lost), and all fit: the caller has seen to that.
std::string EncodeUbootEnv(const UbootVariables& variables, size_t size);
// Nothing for one of another size, with a wrong CRC or a line that is no variable.
std::optional<UbootVariables> ParseUbootEnv(std::string_view block, size_t size);

// hostapp/uboot/state-0 and state-1: one sector each.
inline constexpr size_t kUbootStateBytes = 512;
struct UbootState {
  uint64_t default_serial = 0;  // 0 where nothing is said
  uint64_t trial = 0;
  int tries = 0;
  bool operator==(const UbootState&) const = default;
};
std::string EncodeUbootState(const UbootState& state);
std::optional<UbootState> ParseUbootState(std::string_view block);

// hostapp/uboot/proven: deployments with a mark of goodness, which a script, unable to list a folder, cannot find by
// itself. The newest first; the oldest are left out when they are too many.
inline constexpr size_t kUbootProvenBytes = 512;
inline constexpr size_t kMaxUbootProven = 16;
std::string EncodeUbootProven(std::vector<uint64_t> serials);
std::vector<uint64_t> ParseUbootProven(std::string_view block);  // empty for a damaged one

// hostapp/uboot/entries/<serial>.env
inline constexpr size_t kUbootEntryBytes = 4096;
struct UbootFile {
  uint64_t size = 0;
  uint32_t crc32 = 0;
  bool operator==(const UbootFile&) const = default;
};
struct UbootEntry {
  uint64_t serial = 0;
  std::string boot_set;  // hexadecimal
  UbootFile kernel;
  UbootFile initrd;
  std::string arguments;
  bool operator==(const UbootEntry&) const = default;
};
std::string EncodeUbootEntry(const UbootEntry& entry);
std::optional<UbootEntry> ParseUbootEntry(std::string_view block);

}  // namespace hostapp
