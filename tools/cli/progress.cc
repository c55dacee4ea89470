// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/progress.h"

#include <map>
#include <mutex>
#include <string>

#include "tools/cli/progress_state.h"

namespace hostapp::cli {
namespace {

constexpr Time kRedrawEvery = std::chrono::milliseconds(100);
constexpr Time kLineEvery = std::chrono::seconds(3);

class BarProgress : public ProgressSink {
 public:
  BarProgress(Console& console, Clock& clock) : console_(console), clock_(clock) {}
  ~BarProgress() override { console_.SetBar({}); }

  void Report(const ProgressEvent& event) override {
    const std::lock_guard lock(mutex_);
    const Time now = clock_.Monotonic();
    state_.Update(event, now);
    if (drawn_ && now - *drawn_ < kRedrawEvery) return;
    drawn_ = now;
    console_.SetBar(state_.Foremost()->Bar(console_.width()));
  }

 private:
  Console& console_;
  Clock& clock_;
  std::mutex mutex_;
  ProgressState state_;
  std::optional<Time> drawn_;
};

// Lines: each stage on its own, `every` so often, and once when it ends. A stage that is over before its first line was
// due is too short to tell of, unless `short_stages` are wanted.
class LineProgress : public ProgressSink {
 public:
  using Format = std::string (*)(const StageProgress&);
  enum class ShortStages { kSkip, kShow };
  LineProgress(Console& console, Clock& clock, Time every, ShortStages short_stages, Format format)
      : console_(console), clock_(clock), every_(every), short_stages_(short_stages), format_(format) {}

  void Report(const ProgressEvent& event) override {
    const std::lock_guard lock(mutex_);
    const Time now = clock_.Monotonic();
    const StageProgress& stage = state_.Update(event, now);
    Shown& shown = shown_[stage.name()];
    if (!stage.finished()) {
      shown.finished = false;
      if (now - shown.last.value_or(FirstDue(stage, now)) < every_) return;
    } else {
      if (shown.finished || (!shown.last && short_stages_ == ShortStages::kSkip && stage.age(now) < every_)) return;
      shown.finished = true;
    }
    shown.last = now;
    console_.Line(format_(stage));
  }

 private:
  struct Shown {
    std::optional<Time> last;
    bool finished = false;
  };

  Time FirstDue(const StageProgress& stage, Time now) const {
    return short_stages_ == ShortStages::kShow ? now - every_ : now - stage.age(now);
  }

  Console& console_;
  Clock& clock_;
  Time every_;
  ShortStages short_stages_;
  Format format_;
  std::mutex mutex_;
  ProgressState state_;
  std::map<std::string, Shown> shown_;
};

}  // namespace

std::optional<ProgressMode> ParseProgressMode(std::string_view text) {
  if (text == "auto") return ProgressMode::kAuto;
  if (text == "bar") return ProgressMode::kBar;
  if (text == "plain") return ProgressMode::kPlain;
  if (text == "json") return ProgressMode::kJson;
  if (text == "none") return ProgressMode::kNone;
  return std::nullopt;
}

std::unique_ptr<ProgressSink> MakeProgress(ProgressMode mode, Console& console, Clock& clock) {
  if (mode == ProgressMode::kAuto) mode = console.is_terminal() ? ProgressMode::kBar : ProgressMode::kNone;
  switch (mode) {
    case ProgressMode::kBar:
      return std::make_unique<BarProgress>(console, clock);
    case ProgressMode::kPlain:
      return std::make_unique<LineProgress>(console, clock, kLineEvery, LineProgress::ShortStages::kSkip,
                                            [](const StageProgress& stage) { return stage.Text(); });
    case ProgressMode::kJson:
      return std::make_unique<LineProgress>(console, clock, kRedrawEvery, LineProgress::ShortStages::kShow,
                                            [](const StageProgress& stage) { return stage.Document().Dump(); });
    case ProgressMode::kAuto:
    case ProgressMode::kNone:
      return std::make_unique<NullProgress>();
  }
  return std::make_unique<NullProgress>();
}

}  // namespace hostapp::cli
