// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/session.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <thread>

namespace hostapp::cli {
namespace {

LogLevel LeastLevel(Verbosity verbosity) {
  return verbosity == Verbosity::kVerbose ? LogLevel::kDebug : LogLevel::kWarning;
}

ProgressMode ModeFor(const CommonOptions& options) {
  const bool quiet = options.verbosity == Verbosity::kQuiet && options.progress == ProgressMode::kAuto;
  return quiet ? ProgressMode::kNone : options.progress;
}

// As many as there are processors to run on. More than eight wait for each other: one thread decompresses for all.
unsigned Jobs() {
  constexpr unsigned kMost = 8;
  const char* asked = ::secure_getenv("HOSTAPP_JOBS");
  const std::optional<uint64_t> number = asked == nullptr ? std::nullopt : ParseUint64(asked);
  return static_cast<unsigned>(std::clamp<uint64_t>(number.value_or(std::thread::hardware_concurrency()), 1, kMost));
}

}  // namespace

Session::Session(const CommonOptions& options, Console& console)
    : console_(console),
      log_(console, LeastLevel(options.verbosity)),
      progress_(MakeProgress(ModeFor(options), console, RealClock())),
      ctx_{.clock = RealClock(),
           .log = log_,
           .progress = *progress_,
           .cancel = {},
           .sys = RealSyscalls(),
           .jobs = Jobs()},
      interrupts_(ctx_.cancel) {}

}  // namespace hostapp::cli
