// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"

namespace hostapp {

// The first bytes of a kernel that KernelImageFits() wants to see.
inline constexpr size_t kKernelHeaderBytes = 4096;

// Whether a boot loader on `architecture` (GOARCH: "amd64", "arm64", …) can load a kernel that begins like this: an x86
// boot image (Documentation/arch/x86/boot.rst: "HdrS" at 0x202), an arm64 Image ("ARM\x64" at 0x38), or a PE image for
// the machine. kCorrupt, with what it is instead. Architectures without a rule here are accepted.
Status KernelImageFits(ByteSpan head, std::string_view architecture);

}  // namespace hostapp
