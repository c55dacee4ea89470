// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace hostapp::composefs {

// composefs's, in an image's header. They differ in how a tree's own whiteouts look: kV1's work with Linux 6.8 and
// newer, too.
enum class FormatVersion : uint32_t { kV0 = 0, kV1 = 1 };

}  // namespace hostapp::composefs
