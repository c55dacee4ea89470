// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/session.h"

namespace hostapp::cli {
namespace {

LogLevel LeastLevel(Verbosity verbosity) {
  return verbosity == Verbosity::kVerbose ? LogLevel::kDebug : LogLevel::kWarning;
}

ProgressMode ModeFor(const CommonOptions& options) {
  const bool quiet = options.verbosity == Verbosity::kQuiet && options.progress == ProgressMode::kAuto;
  return quiet ? ProgressMode::kNone : options.progress;
}

}  // namespace

Session::Session(const CommonOptions& options, Console& console)
    : console_(console),
      log_(console, LeastLevel(options.verbosity)),
      progress_(MakeProgress(ModeFor(options), console, RealClock())),
      ctx_{.clock = RealClock(), .log = log_, .progress = *progress_, .cancel = {}, .sys = RealSyscalls()},
      interrupts_(ctx_.cancel) {}

}  // namespace hostapp::cli
