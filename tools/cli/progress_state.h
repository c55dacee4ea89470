// SPDX-License-Identifier: Apache-2.0
// What the events of an operation add up to: how far each stage is, how fast, and how long it will take. No output, no
// clock of its own: the sinks (progress.h) show it.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "hostapp/base/json.h"
#include "hostapp/base/progress.h"

namespace hostapp::cli {

using Time = std::chrono::nanoseconds;  // Clock::Monotonic()

// One stage ("fetch", "import", …) as far as it has been reported.
class StageProgress {
 public:
  StageProgress(std::string_view name, Time now) : name_(name), started_(now) {}

  void Update(const ProgressEvent& event, Time now);

  const std::string& name() const { return name_; }
  bool finished() const { return total_ && done_ >= *total_; }
  Time age(Time now) const { return now - started_; }
  // Units a second over the last kRateWindow; nothing until half a second has been seen.
  std::optional<double> Rate() const;
  // Whole seconds until `total` at that rate.
  std::optional<uint64_t> SecondsLeft() const;

  // "fetch: 12.0 MiB of 26.0 MiB (46 %), 3.1 MiB/s, 0:04 left"
  std::string Text() const;
  // "fetch [=====>    ] 46 %  12.0 MiB of 26.0 MiB  3.1 MiB/s  0:04 left", at most `width` columns.
  std::string Bar(size_t width) const;
  // {"stage", "item", "done", "total", "unit", "rate", "seconds_left"}; unknown is null.
  Json Document() const;

 private:
  struct Sample {
    Time time;
    uint64_t done;
  };

  std::string Amounts() const;
  std::string Speed() const;

  std::string name_;
  std::string item_;
  Time started_;
  uint64_t done_ = 0;
  std::optional<uint64_t> total_;
  ProgressEvent::Unit unit_ = ProgressEvent::Unit::kBytes;
  std::deque<Sample> samples_;
};

// All stages, in the order of their first event; several may run at once.
class ProgressState {
 public:
  StageProgress& Update(const ProgressEvent& event, Time now);

  // What one line should be about: the first stage that has not finished, otherwise the last one. Null: no event yet.
  const StageProgress* Foremost() const;

 private:
  std::deque<StageProgress> stages_;  // references stay valid
};

// 75 → "1:15", 3675 → "1:01:15".
std::string DurationText(uint64_t seconds);

}  // namespace hostapp::cli
