// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli, reflected, as in iSCSI and btrfs), at compile time too.
//
// The ledger's checksum finds accidents: torn writes, flipped bits, stale blocks. It sees every burst of up to 32 bits
// and any other damage but one in four thousand million. A cryptographic hash would add code to the boot path and
// protect from nobody: who can write the ledger can compute any hash over it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hostapp::bootsel {

namespace internal {

// What one byte does to the checksum.
constexpr std::array<uint32_t, 256> MakeCrc32cTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < table.size(); byte++) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
    table[byte] = crc;
  }
  return table;
}
inline constexpr std::array<uint32_t, 256> kCrc32cTable = MakeCrc32cTable();

}  // namespace internal

constexpr uint32_t Crc32c(std::span<const std::byte> bytes) {
  uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc = (crc >> 8) ^ internal::kCrc32cTable[(crc ^ static_cast<uint32_t>(byte)) & 0xffU];
  }
  return ~crc;
}

}  // namespace hostapp::bootsel
