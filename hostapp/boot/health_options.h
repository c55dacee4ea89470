// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/result.h"

namespace hostapp {

struct HealthOptions {
  std::string root = "/";                              // where the folders of checks are looked for
  std::chrono::seconds timeout{300};                   // of one check
  std::chrono::seconds stability{60};                  // a trial must still be healthy after this
  std::vector<std::string> systemctl = {"systemctl"};  // empty: units are not asked about
};

// Those of a health.toml, which errors call `what`: `timeout-seconds` (1..86400) and `stability-seconds` (0..86400),
// each optional, the others as they are. kCorrupt, and `options` as they were.
Status ParseHealthOptions(std::string_view toml, std::string_view what, HealthOptions& options);

}  // namespace hostapp
