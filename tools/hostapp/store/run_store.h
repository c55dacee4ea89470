// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace hostapp::cli {

// The whole of hostapp-store but main(): it has every verb, so that it can stand for both programs.
int RunStoreProgram(const std::vector<std::string>& arguments);

}  // namespace hostapp::cli
