// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "hostapp/base/result.h"

namespace hostapp::tar {

struct PathLimits {
  size_t max_path, max_component, max_depth;
};

// "./a//b/" → "a/b"; the root is "". kCorrupt for an absolute or empty name, any "..", a zero byte, and what is over a
// limit. A trailing slash is the caller's to judge.
Result<std::string> NormalisePath(std::string_view name, const PathLimits& limits);

}  // namespace hostapp::tar
