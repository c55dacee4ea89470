// SPDX-License-Identifier: Apache-2.0
// The names of whiteouts in a layer's tree; which members may be one, hostapp/layer/layer_rules.h says.
#pragma once

#include <string_view>

namespace hostapp {

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueName = ".wh..wh..opq";

inline bool IsWhiteout(std::string_view name) { return name.starts_with(kWhiteoutPrefix); }
// The name that a whiteout (not an opaque mark) removes.
inline std::string_view WhiteoutTarget(std::string_view name) { return name.substr(kWhiteoutPrefix.size()); }

}  // namespace hostapp
