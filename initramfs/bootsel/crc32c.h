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

constexpr uint32_t Crc32c(std::span<const std::byte> bytes) {
  uint32_t crc = ~0U;
  for (const std::byte byte : bytes) {
    crc ^= static_cast<uint32_t>(byte);
    for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0x82f63b78U : 0U);
  }
  return ~crc;
}

}  // namespace hostapp::bootsel
