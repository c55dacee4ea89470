// SPDX-License-Identifier: Apache-2.0
// XXH32, the hash behind EROFS's filter of attribute names (github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
#pragma once

#include <cstdint>

#include "hostapp/base/bytes.h"

namespace hostapp::composefs {

uint32_t Xxh32(ByteSpan bytes, uint32_t seed);

}  // namespace hostapp::composefs
