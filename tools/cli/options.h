// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tools/cli/progress.h"

namespace hostapp::cli {

enum class Verbosity { kQuiet, kNormal, kVerbose };
enum class OutputFormat { kText, kJson };

// What every verb of both tools takes.
struct CommonOptions {
  OutputFormat format = OutputFormat::kText;
  ProgressMode progress = ProgressMode::kAuto;
  Verbosity verbosity = Verbosity::kNormal;
};

}  // namespace hostapp::cli
