// SPDX-License-Identifier: Apache-2.0
// The annotations that `hostapp-image pack` writes and a device plans with. All are hints: a device that has them knows
// before the first byte what an image will take; one that has not estimates; neither believes them further than that.
#pragma once

#include <string_view>

namespace hostapp {

// On a layer's descriptor: bytes of its uncompressed tar, decimal. Also the most that it may unpack to.
inline constexpr std::string_view kUncompressedSizeAnnotation = "io.hostapp.layer.uncompressed-size";
// On a layer's descriptor: its members, decimal.
inline constexpr std::string_view kEntriesAnnotation = "io.hostapp.layer.entries";
// On the manifest: bytes of kernel, initramfs and device trees, decimal.
inline constexpr std::string_view kBootSetSizeAnnotation = "io.hostapp.boot-set.size";

}  // namespace hostapp
