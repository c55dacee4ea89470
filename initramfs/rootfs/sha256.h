// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) for a program without libcrypto.
#pragma once

#include <cstddef>
#include <span>

#include "initramfs/bootsel/digest.h"

namespace hostapp::initramfs {

bootsel::Digest Sha256(std::span<const std::byte> bytes);

}  // namespace hostapp::initramfs
