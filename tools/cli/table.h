// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace hostapp::cli {

// Rows as lines, each column as wide as its widest cell, two spaces between, none at the ends of lines. Widths are
// counted in characters of UTF-8.
std::string Table(const std::vector<std::vector<std::string>>& rows);

}  // namespace hostapp::cli
