// SPDX-License-Identifier: Apache-2.0
// `--progress`: how progress is shown, always on standard error.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "hostapp/base/clock.h"
#include "hostapp/base/progress.h"
#include "tools/cli/console.h"

namespace hostapp::cli {

enum class ProgressMode {
  kAuto,   // kBar on a terminal, otherwise kNone
  kBar,    // redrawn in place, at most ten times a second
  kPlain,  // a line a stage every few seconds, and when it ends
  kJson,   // a JSON object a line, at most ten a second and stage, and when it ends
  kNone,
};

std::optional<ProgressMode> ParseProgressMode(std::string_view text);

// `console` and `clock` outlive it. Thread-safe; an event that is not shown costs a comparison.
std::unique_ptr<ProgressSink> MakeProgress(ProgressMode mode, Console& console, Clock& clock);

}  // namespace hostapp::cli
