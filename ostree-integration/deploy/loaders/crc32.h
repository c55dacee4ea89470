// SPDX-License-Identifier: Apache-2.0
// CRC-32 as Ethernet, zlib and U-Boot have it.
#pragma once

#include <cstdint>

#include "hostapp/base/bytes.h"

namespace hostapp {

// Of `bytes`, after what `before` is the CRC of: Crc32(b, Crc32(a)) is that of both.
uint32_t Crc32(ByteSpan bytes, uint32_t before = 0);

}  // namespace hostapp
