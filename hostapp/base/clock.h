// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hostapp {

// The time, and waiting; passed in, so that a test decides both.
class Clock {
 public:
  virtual ~Clock() = default;
  // Seconds since 1970, which a device with a dead battery believes it is: see PlausibleNow().
  virtual int64_t UnixSeconds() = 0;
  virtual std::chrono::nanoseconds Monotonic() = 0;
  virtual void Sleep(std::chrono::milliseconds duration) = 0;
};

Clock& RealClock();

// The time, or nothing when the clock is before this program was built or forty years after.
std::optional<int64_t> PlausibleNow(Clock& clock);

// RFC 3339 in UTC, "2026-11-22T16:38:29Z", and back (fractions are dropped, offsets applied).
std::string FormatTime(int64_t unix_seconds);
std::optional<int64_t> ParseTime(std::string_view rfc3339);

}  // namespace hostapp
