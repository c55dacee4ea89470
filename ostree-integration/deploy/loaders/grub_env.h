// SPDX-License-Identifier: Apache-2.0
// GRUB's environment block, as `save_env` writes it and grub-editenv(1) shows it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hostapp {

inline constexpr size_t kGrubEnvBytes = 1024;

// What of it is ours; 0 where nothing is said.
struct GrubEnv {
  uint64_t default_serial = 0;
  uint64_t trial = 0;
  int tries = 0;
  bool operator==(const GrubEnv&) const = default;
};

// A serial as the names of entries have it: ten digits.
std::string GrubEntryName(uint64_t serial);
// Back, or nothing.
std::optional<uint64_t> ParseGrubEntryName(std::string_view name);

// The whole block; what is said stands in its first 512 bytes.
std::string EncodeGrubEnv(const GrubEnv& env);

// What of a block can be understood. One without GRUB's first line, or of another size, says nothing.
GrubEnv ParseGrubEnv(std::string_view block);

}  // namespace hostapp
