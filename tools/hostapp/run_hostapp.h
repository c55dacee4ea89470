// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace hostapp::cli {

// The whole program but main(): arguments (without the program's name) to exit status. A verb of the second program
// does not come back, unless that cannot be started.
int RunHostapp(const std::vector<std::string>& arguments);

}  // namespace hostapp::cli
