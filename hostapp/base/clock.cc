// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/clock.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <thread>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

// No release of this project is older: the first commit's day, 2026-11-22.
constexpr int64_t kOldestPlausible = 1795305600;
// Firmware that keeps two digits of the year makes 2070 of a clock that begins again in 1970.
constexpr int64_t kNewestPlausible = kOldestPlausible + int64_t{40} * 365 * 24 * 3600;

// What RFC 3339 can write: years of four digits.
constexpr int64_t kYear0 = -62167219200;        // 0000-01-01T00:00:00Z
constexpr int64_t kYear9999End = 253402300799;  // 9999-12-31T23:59:59Z

class SystemClock : public Clock {
 public:
  int64_t UnixSeconds() override { return static_cast<int64_t>(::time(nullptr)); }
  std::chrono::nanoseconds Monotonic() override { return std::chrono::steady_clock::now().time_since_epoch(); }
  void Sleep(std::chrono::milliseconds duration) override { std::this_thread::sleep_for(duration); }
};

std::optional<int> Number(std::string_view text, size_t at, size_t digits) {
  if (text.size() < at + digits) return std::nullopt;
  const std::optional<uint64_t> value = ParseUint64(text.substr(at, digits));
  if (!value) return std::nullopt;
  return static_cast<int>(*value);
}

// Seconds east of UTC for "Z", "+01:00", "-05:30".
std::optional<int64_t> Offset(std::string_view zone) {
  if (zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':') return std::nullopt;
  const auto hours = Number(zone, 1, 2);
  const auto minutes = Number(zone, 4, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const int64_t seconds = *hours * 3600 + *minutes * 60;
  return zone[0] == '-' ? -seconds : seconds;
}

bool Punctuated(std::string_view t) {
  return t.size() >= 20 && t[4] == '-' && t[7] == '-' && (t[10] == 'T' || t[10] == 't') && t[13] == ':' && t[16] == ':';
}

}  // namespace

Clock& RealClock() {
  static SystemClock clock;
  return clock;
}

std::optional<int64_t> PlausibleNow(Clock& clock) {
  const int64_t now = clock.UnixSeconds();
  if (now < kOldestPlausible || now > kNewestPlausible) return std::nullopt;
  return now;
}

std::string FormatTime(int64_t unix_seconds) {
  const std::time_t time = std::clamp(unix_seconds, kYear0, kYear9999End);
  std::tm parts{};
  if (::gmtime_r(&time, &parts) == nullptr) return "1970-01-01T00:00:00Z";
  // Not strftime's %Y, which writes the year 168 with three digits.
  char text[80];
  const int length = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", parts.tm_year + 1900,
                                   parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
  return {text, static_cast<size_t>(length)};
}

std::optional<int64_t> ParseTime(std::string_view text) {
  if (!Punctuated(text)) return std::nullopt;
  const auto year = Number(text, 0, 4), month = Number(text, 5, 2), day = Number(text, 8, 2);
  const auto hour = Number(text, 11, 2), minute = Number(text, 14, 2), second = Number(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  size_t zone_at = 19;
  if (text[zone_at] == '.') {
    zone_at = text.find_first_not_of("0123456789", zone_at + 1);
    if (zone_at == std::string_view::npos || zone_at == 20) return std::nullopt;
  }
  const auto offset = Offset(text.substr(zone_at));
  if (!offset || *month < 1 || *month > 12 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  std::tm parts{};
  parts.tm_year = *year - 1900;
  parts.tm_mon = *month - 1;
  parts.tm_mday = *day;
  parts.tm_hour = *hour;
  parts.tm_min = *minute;
  // A leap second is the next second; added below, so that it cannot carry the date along.
  parts.tm_sec = *second == 60 ? 59 : *second;
  const std::time_t time = ::timegm(&parts) + (*second == 60 ? 1 : 0);
  if (parts.tm_mday != *day) return std::nullopt;  // 30 February became a day in March
  const int64_t utc = static_cast<int64_t>(time) - *offset;
  if (utc < kYear0 || utc > kYear9999End) return std::nullopt;  // an offset led out of the four digits
  return utc;
}

}  // namespace hostapp
