// SPDX-License-Identifier: Apache-2.0
// Whiteouts, as OCI image-spec "layer.md" writes them: the empty file ".wh.NAME" removes NAME of the layers below, and
// ".wh..wh..opq" everything that they have in its folder.
#pragma once

#include <string_view>

#include "hostapp/base/result.h"
#include "hostapp/layer/tar_reader.h"

namespace hostapp {

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueName = ".wh..wh..opq";

inline bool IsWhiteout(std::string_view name) { return name.starts_with(kWhiteoutPrefix); }
// The name that a whiteout (not an opaque mark) removes.
inline std::string_view WhiteoutTarget(std::string_view name) { return name.substr(kWhiteoutPrefix.size()); }

// A member that is a whiteout must be an empty regular file, with a name to remove that could be one; nothing may be
// below a whiteout; aufs's own (".wh..wh.plnk" and the like) are leftovers of another file system. kCorrupt.
Status CheckWhiteoutMember(const TarEntry& entry);

}  // namespace hostapp
