// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/progress_state.h"

#include <gtest/gtest.h>

namespace hostapp::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kMiB = uint64_t{1} << 20;

ProgressEvent Bytes(uint64_t done, std::optional<uint64_t> total) {
  return {.stage = "fetch", .item = "sha256:ab", .done = done, .total = total};
}

StageProgress HalfWay() {
  StageProgress stage("fetch", seconds(0));
  for (int i = 0; i <= 4; ++i)
    stage.Update(Bytes(static_cast<uint64_t>(i) * 2 * kMiB, 16 * kMiB), seconds(i));  // 2 MiB/s
  return stage;
}

TEST(StageProgress, KnowsNoRateBeforeHalfASecondHasBeenSeen) {
  StageProgress stage("fetch", seconds(0));
  stage.Update(Bytes(0, kMiB), seconds(0));
  stage.Update(Bytes(1000, kMiB), milliseconds(400));
  EXPECT_EQ(stage.Rate(), std::nullopt);
  EXPECT_EQ(stage.SecondsLeft(), std::nullopt);
}

TEST(StageProgress, TellsRateAndTimeLeft) {
  const StageProgress stage = HalfWay();
  ASSERT_TRUE(stage.Rate().has_value());
  EXPECT_DOUBLE_EQ(*stage.Rate(), 2.0 * kMiB);
  EXPECT_EQ(stage.SecondsLeft(), 4u);
}

TEST(StageProgress, RatesOnlyTheLastSeconds) {
  StageProgress stage("fetch", seconds(0));
  stage.Update(Bytes(0, std::nullopt), seconds(0));
  stage.Update(Bytes(100 * kMiB, std::nullopt), seconds(1));
  for (int i = 2; i <= 20; ++i)
    stage.Update(Bytes(100 * kMiB + static_cast<uint64_t>(i) * 1000, std::nullopt), seconds(i));
  EXPECT_DOUBLE_EQ(*stage.Rate(), 1000.0);
}

TEST(StageProgress, CountsWhatAnInterruptedRunLeftAsDoneButNotAsSpeed) {
  StageProgress stage("fetch", seconds(0));
  stage.Update(Bytes(10 * kMiB, 12 * kMiB), seconds(0));
  stage.Update(Bytes(11 * kMiB, 12 * kMiB), seconds(1));
  EXPECT_DOUBLE_EQ(*stage.Rate(), 1.0 * kMiB);
}

TEST(StageProgress, StopsForecastingWhenItStalls) {
  StageProgress stage("fetch", seconds(0));
  stage.Update(Bytes(5, 10), seconds(0));
  stage.Update(Bytes(5, 10), seconds(3));
  EXPECT_DOUBLE_EQ(*stage.Rate(), 0.0);
  EXPECT_EQ(stage.SecondsLeft(), std::nullopt);
}

TEST(StageProgress, WritesALineForPeople) {
  EXPECT_EQ(HalfWay().Text(), "fetch: 8.0 MiB of 16.0 MiB (50 %), 2.0 MiB/s, 0:04 left");
  StageProgress unknown("import", seconds(0));
  unknown.Update({.stage = "import", .done = 12, .unit = ProgressEvent::Unit::kItems}, seconds(0));
  EXPECT_EQ(unknown.Text(), "import: 12");
}

TEST(StageProgress, DrawsABarThatFitsEveryWidth) {
  const StageProgress stage = HalfWay();
  EXPECT_EQ(stage.Bar(200), "fetch [===============               ] 50 %  8.0 MiB of 16.0 MiB  2.0 MiB/s  0:04 left");
  for (size_t width = 0; width < 120; ++width)
    EXPECT_LT(stage.Bar(width).size(), width + (width == 0 ? 1 : 0)) << width;
}

TEST(StageProgress, HasADocumentWhereTheUnknownIsNull) {
  EXPECT_EQ(
      HalfWay().Document().Dump(),
      R"({"done":8388608,"item":"sha256:ab","rate":2097152,"seconds_left":4,"stage":"fetch","total":16777216,"unit":"bytes"})");
  StageProgress unknown("merge", seconds(0));
  unknown.Update({.stage = "merge", .done = 3, .unit = ProgressEvent::Unit::kItems}, seconds(0));
  EXPECT_EQ(unknown.Document().Dump(),
            R"({"done":3,"item":null,"rate":null,"seconds_left":null,"stage":"merge","total":null,"unit":"items"})");
}

TEST(ProgressState, PutsTheFirstUnfinishedStageForemost) {
  ProgressState state;
  EXPECT_EQ(state.Foremost(), nullptr);
  state.Update({.stage = "fetch", .done = 1, .total = 2}, seconds(0));
  state.Update({.stage = "import", .done = 1, .total = 2}, seconds(0));
  EXPECT_EQ(state.Foremost()->name(), "fetch");
  state.Update({.stage = "fetch", .done = 2, .total = 2}, seconds(1));
  EXPECT_EQ(state.Foremost()->name(), "import");
  state.Update({.stage = "import", .done = 2, .total = 2}, seconds(1));
  EXPECT_EQ(state.Foremost()->name(), "import");
}

TEST(DurationText, CountsMinutesAndThenHours) {
  EXPECT_EQ(DurationText(0), "0:00");
  EXPECT_EQ(DurationText(75), "1:15");
  EXPECT_EQ(DurationText(3675), "1:01:15");
}

}  // namespace
}  // namespace hostapp::cli
