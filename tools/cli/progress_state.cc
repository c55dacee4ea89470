// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/progress_state.h"

#include <algorithm>
#include <cmath>

#include "hostapp/base/strings.h"

namespace hostapp::cli {
namespace {

// Long enough to be steady, short enough to follow a network.
constexpr Time kRateWindow = std::chrono::seconds(5);
constexpr Time kSampleEvery = std::chrono::milliseconds(100);
constexpr Time kLeastForRate = std::chrono::milliseconds(500);
constexpr uint64_t kMostSecondsLeft = 100 * 3600;  // more is no forecast

double Seconds(Time time) { return std::chrono::duration<double>(time).count(); }

std::string TwoDigits(uint64_t value) { return StrCat(value < 10 ? "0" : "", value); }

uint64_t Percent(uint64_t done, uint64_t total) {
  if (total == 0 || done >= total) return 100;
  return static_cast<uint64_t>(100.0 * static_cast<double>(done) / static_cast<double>(total));
}

}  // namespace

std::string DurationText(uint64_t seconds) {
  const uint64_t minutes = seconds / 60;
  if (minutes < 60) return StrCat(minutes, ":", TwoDigits(seconds % 60));
  return StrCat(minutes / 60, ":", TwoDigits(minutes % 60), ":", TwoDigits(seconds % 60));
}

void StageProgress::Update(const ProgressEvent& event, Time now) {
  item_ = event.item;
  // A stage that begins again (another image) has a rate of its own.
  if (event.done < done_) samples_.clear();
  done_ = event.done;
  total_ = event.total;
  unit_ = event.unit;
  if (!samples_.empty() && now - samples_.back().time < kSampleEvery && !finished()) return;
  samples_.push_back({now, done_});
  while (samples_.size() > 2 && now - samples_[1].time >= kRateWindow) samples_.pop_front();
}

std::optional<double> StageProgress::Rate() const {
  if (samples_.size() < 2) return std::nullopt;
  const Time time = samples_.back().time - samples_.front().time;
  if (time < kLeastForRate) return std::nullopt;
  return static_cast<double>(samples_.back().done - samples_.front().done) / Seconds(time);
}

std::optional<uint64_t> StageProgress::SecondsLeft() const {
  const std::optional<double> rate = Rate();
  if (!rate || *rate <= 0 || !total_ || finished()) return std::nullopt;
  const double left = std::ceil(static_cast<double>(*total_ - done_) / *rate);
  if (left > static_cast<double>(kMostSecondsLeft)) return std::nullopt;
  return static_cast<uint64_t>(left);
}

std::string StageProgress::Amounts() const {
  const auto amount = [&](uint64_t value) {
    return unit_ == ProgressEvent::Unit::kBytes ? HumanBytes(value) : StrCat(value);
  };
  return total_ ? StrCat(amount(done_), " of ", amount(*total_)) : amount(done_);
}

std::string StageProgress::Speed() const {
  const std::optional<double> rate = Rate();
  if (!rate) return {};
  const auto whole = static_cast<uint64_t>(*rate);
  return unit_ == ProgressEvent::Unit::kBytes ? StrCat(HumanBytes(whole), "/s") : StrCat(whole, "/s");
}

std::string StageProgress::Text() const {
  std::string text = StrCat(name_, ": ", Amounts());
  if (total_) text += StrCat(" (", Percent(done_, *total_), " %)");
  if (const std::string speed = Speed(); !speed.empty()) text += StrCat(", ", speed);
  if (const auto left = SecondsLeft()) text += StrCat(", ", DurationText(*left), " left");
  return text;
}

std::string StageProgress::Bar(size_t width) const {
  std::string tail;
  if (total_) tail = StrCat(" ", Percent(done_, *total_), " %");
  tail += StrCat("  ", Amounts());
  if (const std::string speed = Speed(); !speed.empty()) tail += StrCat("  ", speed);
  if (const auto left = SecondsLeft()) tail += StrCat("  ", DurationText(*left), " left");
  constexpr size_t kLongestBar = 30, kShortestBar = 8;
  const size_t fixed = name_.size() + 3 + tail.size();
  std::string bar;
  if (total_ && fixed + kShortestBar < width) {
    const size_t cells = std::min(kLongestBar, width - fixed - 1);
    const size_t filled = cells * Percent(done_, *total_) / 100;
    bar = StrCat(" [", std::string(filled, '='), std::string(cells - filled, ' '), "]");
  }
  // The last column stays free: a terminal that wraps there would scroll at each drawing.
  return StrCat(name_, bar, tail).substr(0, width > 0 ? width - 1 : 0);
}

Json StageProgress::Document() const {
  const std::optional<double> rate = Rate();
  return Json::Object{{"stage", name_},
                      {"item", item_.empty() ? Json() : Json(item_)},
                      {"done", done_},
                      {"total", total_},
                      {"unit", unit_ == ProgressEvent::Unit::kBytes ? "bytes" : "items"},
                      {"rate", rate ? Json(static_cast<uint64_t>(*rate)) : Json()},
                      {"seconds_left", SecondsLeft()}};
}

StageProgress& ProgressState::Update(const ProgressEvent& event, Time now) {
  auto found = std::find_if(stages_.begin(), stages_.end(),
                            [&](const StageProgress& stage) { return stage.name() == event.stage; });
  if (found == stages_.end()) {
    stages_.emplace_back(event.stage, now);
    found = std::prev(stages_.end());
  }
  found->Update(event, now);
  return *found;
}

const StageProgress* ProgressState::Foremost() const {
  for (const StageProgress& stage : stages_) {
    if (!stage.finished()) return &stage;
  }
  return stages_.empty() ? nullptr : &stages_.back();
}

}  // namespace hostapp::cli
