// SPDX-License-Identifier: Apache-2.0
// What writing and changing a GPT share (UEFI specification, 5.3).
#pragma once

#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hostapp {

inline constexpr size_t kGptEntries = 128;
inline constexpr size_t kGptEntryBytes = 128;
inline constexpr size_t kGptHeaderBytes = 92;
inline constexpr size_t kGptNameUnits = 36;  // of UTF-16

inline uint32_t GptCrc(std::string_view bytes) {
  return static_cast<uint32_t>(
      ::crc32(0, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned>(bytes.size())));
}

}  // namespace hostapp
