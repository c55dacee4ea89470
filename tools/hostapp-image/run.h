// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace hostapp::cli {

// The whole program but main(): arguments (without the program's name) to exit status.
int RunHostappImage(const std::vector<std::string>& arguments);

}  // namespace hostapp::cli
