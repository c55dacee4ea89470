// SPDX-License-Identifier: Apache-2.0
// An OpContext for tests: a clock that only moves when somebody sleeps on it, and a log that remembers.
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "hostapp/base/op_context.h"

namespace hostapp::testing {

class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t unix_seconds = 1800000000) : unix_seconds_(unix_seconds) {}

  int64_t UnixSeconds() override {
    const std::lock_guard lock(mutex_);
    return unix_seconds_ + std::chrono::duration_cast<std::chrono::seconds>(slept_).count();
  }
  std::chrono::nanoseconds Monotonic() override {
    const std::lock_guard lock(mutex_);
    return slept_;
  }
  void Sleep(std::chrono::milliseconds duration) override {
    const std::lock_guard lock(mutex_);
    slept_ += duration;
    sleeps_.push_back(duration);
  }
  // Every Sleep() there was, oldest first.
  std::vector<std::chrono::milliseconds> sleeps() const {
    const std::lock_guard lock(mutex_);
    return sleeps_;
  }

 private:
  mutable std::mutex mutex_;
  int64_t unix_seconds_;
  std::chrono::nanoseconds slept_{0};
  std::vector<std::chrono::milliseconds> sleeps_;
};

class RecordingLog : public Log {
 public:
  void Write(LogLevel level, std::string_view line) override {
    const std::lock_guard lock(mutex_);
    if (level == LogLevel::kWarning) warnings_.emplace_back(line);
    lines_.emplace_back(line);
  }
  std::vector<std::string> lines() const {
    const std::lock_guard lock(mutex_);
    return lines_;
  }
  std::vector<std::string> warnings() const {
    const std::lock_guard lock(mutex_);
    return warnings_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_, warnings_;
};

struct TestContext {
  FakeClock clock;
  RecordingLog log;
  NullProgress progress;
  OpContext ctx{.clock = clock, .log = log, .progress = progress, .cancel = {}, .sys = RealSyscalls()};
};

}  // namespace hostapp::testing
