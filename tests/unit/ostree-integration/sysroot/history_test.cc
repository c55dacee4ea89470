// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/history.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using testing::SampleDeployment;
using ::testing::SizeIs;
using testing::TestSysroot;

std::string Line(const Transition& t) {
  return StrCat(EventName(t.event), " ", t.serial, t.cause.empty() ? "" : " ", t.cause);
}
std::vector<std::string> Lines(const History& history) {
  std::vector<std::string> lines;
  for (const Transition& t : history.transitions) lines.push_back(Line(t));
  return lines;
}

struct Story {
  bootsel::Ledger ledger;
  History history;
  int64_t now = 1800000000;
  bool Advance() { return hostapp::Advance(history, ledger, ++now); }
  void Try(DeploymentSerial serial) { StartTrial(ledger, SampleDeployment(serial), 3, 1); }
};

TEST(History, TellsAnUpdateThatProvesItselfAndOneThatFails) {
  Story story;
  EXPECT_FALSE(story.Advance()) << "nothing has happened yet";
  story.ledger.default_deployment = Name(SampleDeployment(1));
  EXPECT_TRUE(story.Advance());
  story.Try(2);
  EXPECT_TRUE(story.Advance());
  EXPECT_FALSE(story.Advance()) << "told once";
  bootsel::PromoteTrial(story.ledger);
  EXPECT_TRUE(story.Advance());
  story.Try(3);
  EXPECT_TRUE(story.Advance());
  bootsel::FailTrial(story.ledger, bootsel::Cause::kCheckFailed, "web: no answer", 1800001000);
  EXPECT_TRUE(story.Advance());
  story.ledger.default_deployment = Name(SampleDeployment(1));
  EXPECT_TRUE(story.Advance());
  EXPECT_THAT(Lines(story.history),
              ElementsAre("default 1", "on-trial 2", "good 2", "on-trial 3", "failed 3 check-failed", "default 1"));
  EXPECT_EQ(story.history.transitions[4].text, "web: no answer");
  EXPECT_EQ(story.history.transitions[4].time, 1800001000);
}

TEST(History, TellsWhatHappenedBetweenTwoRecords) {
  Story story;
  story.ledger.default_deployment = Name(SampleDeployment(1));
  story.Try(2);
  story.Advance();
  // The helper gave up the trial, and a newer one is armed before anybody recorded that.
  bootsel::FailTrial(story.ledger, bootsel::Cause::kNoInit, "", std::nullopt);
  story.Try(3);
  EXPECT_TRUE(story.Advance());
  EXPECT_THAT(Lines(story.history), ElementsAre("default 1", "on-trial 2", "failed 2 no-init", "on-trial 3"));
}

TEST(History, TellsTheSameFailureOfTwoTrialsTwice) {
  Story story;
  for (int64_t time : {1, 2}) {
    story.Try(2);
    story.Advance();
    bootsel::FailTrial(story.ledger, bootsel::Cause::kNoInit, "", time);
    EXPECT_TRUE(story.Advance());
  }
  EXPECT_THAT(Lines(story.history), ElementsAre("on-trial 2", "failed 2 no-init", "on-trial 2", "failed 2 no-init"));
}

TEST(History, KeepsTheLastTwenty) {
  Story story;
  for (DeploymentSerial serial = 1; serial <= 30; ++serial) {
    story.ledger.default_deployment = Name(SampleDeployment(serial));
    story.Advance();
  }
  ASSERT_THAT(story.history.transitions, SizeIs(20));
  EXPECT_EQ(Line(story.history.transitions.back()), "default 30");
}

TEST(History, ComesBackAsItWas) {
  Story story;
  story.Try(2);
  story.Advance();
  bootsel::FailTrial(story.ledger, bootsel::Cause::kCheckFailed, "line 1\nline \"2\"", 5);
  story.Advance();
  EXPECT_EQ(ParseHistory(HistoryJson(story.history)).value(), story.history);
}

TEST(RecordHistory, BeginsAnewWhereTheFileIsDamagedAndWritesOnlyNews) {
  TestSysroot sysroot;
  sysroot.SetDefault(sysroot.Add(1));
  const std::string file = sysroot.root() + "/hostapp/history.json";
  testing::WriteText(file, "{\"transitions\": [{\"event\": \"danced\"}]}");
  EXPECT_EQ(ReadHistory(sysroot.Open()).error().code(), Errc::kCorrupt);
  ASSERT_TRUE(RecordHistory(sysroot.LockLedger(), sysroot.Open(), sysroot.ctx()).ok());
  EXPECT_THAT(Lines(ReadHistory(sysroot.Open()).value()), ElementsAre("default 1"));
  const auto before = std::filesystem::last_write_time(file);
  ASSERT_TRUE(RecordHistory(sysroot.LockLedger(), sysroot.Open(), sysroot.ctx()).ok());
  EXPECT_EQ(std::filesystem::last_write_time(file), before);
}

}  // namespace
}  // namespace hostapp
