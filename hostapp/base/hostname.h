// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "hostapp/base/result.h"

namespace hostapp {

// A name for a machine: labels of letters, digits and inner hyphens, with dots between, 64 characters at most.
// kInvalid.
Status CheckHostname(std::string_view name);

}  // namespace hostapp
