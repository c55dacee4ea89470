// SPDX-License-Identifier: Apache-2.0
#include "tools/cli/progress.h"

#include <gtest/gtest.h>

#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"
#include "tests/support/test_context.h"
#include "tests/unit/tools/cli/captured.h"

namespace hostapp::cli {
namespace {

using std::chrono::milliseconds;

class ProgressTest : public ::testing::Test {
 protected:
  // `seconds` of a fetch at 1000 bytes a second, an event every 10 ms.
  void Fetch(ProgressSink& sink, int seconds) {
    const auto total = static_cast<uint64_t>(seconds) * 1000;
    for (uint64_t done = 0; done <= total; done += 10) {
      sink.Report({.stage = "fetch", .done = done, .total = total});
      if (done < total) clock_.Sleep(milliseconds(10));
    }
  }
  std::vector<std::string> Lines() const {
    std::vector<std::string> lines;
    const std::string text = captured_.text();
    for (const std::string_view line : Split(text, '\n')) lines.emplace_back(line);
    if (lines.back().empty()) lines.pop_back();
    return lines;
  }

  Captured captured_;
  Console console_{captured_.fd()};
  hostapp::testing::FakeClock clock_;
};

TEST_F(ProgressTest, ShowsNothingByItselfWhereThereIsNoTerminal) {
  Fetch(*MakeProgress(ProgressMode::kAuto, console_, clock_), 10);
  EXPECT_EQ(captured_.text(), "");
}

TEST_F(ProgressTest, DrawsABarAtMostTenTimesASecond) {
  {
    const auto sink = MakeProgress(ProgressMode::kBar, console_, clock_);
    Fetch(*sink, 2);
  }
  const std::string text = captured_.text();
  const size_t drawn = Split(text, '\r').size() - 1;
  EXPECT_GE(drawn, 10u);
  EXPECT_LE(drawn, 22u);
  EXPECT_TRUE(text.ends_with("\r\x1b[K")) << "the bar is still there";
}

TEST_F(ProgressTest, WritesPlainLinesEveryThreeSecondsAndAtTheEnd) {
  Fetch(*MakeProgress(ProgressMode::kPlain, console_, clock_), 7);
  EXPECT_EQ(Lines(), (std::vector<std::string>{
                         "fetch: 2.9 KiB of 6.8 KiB (42 %), 1000 B/s, 0:04 left",
                         "fetch: 5.9 KiB of 6.8 KiB (85 %), 1000 B/s, 0:01 left",
                         "fetch: 6.8 KiB of 6.8 KiB (100 %), 1000 B/s",
                     }));
}

TEST_F(ProgressTest, KeepsPlainLinesSilentAboutWhatIsOverAtOnce) {
  Fetch(*MakeProgress(ProgressMode::kPlain, console_, clock_), 1);
  EXPECT_EQ(captured_.text(), "");
}

TEST_F(ProgressTest, WritesAJsonObjectALineAndAlwaysTheLastOne) {
  Fetch(*MakeProgress(ProgressMode::kJson, console_, clock_), 1);
  const std::vector<std::string> lines = Lines();
  EXPECT_LE(lines.size(), 12u);
  for (const std::string& line : lines) EXPECT_TRUE(ParseJson(line, "a progress line").ok()) << line;
  const Result<Json> last = ParseJson(lines.back(), "the last line");
  EXPECT_EQ(*last->AsObject()->at("done").AsInt(), 1000);
}

TEST_F(ProgressTest, TellsTheEndOfAStageOnce) {
  const auto sink = MakeProgress(ProgressMode::kJson, console_, clock_);
  for (int i = 0; i < 5; ++i) sink->Report({.stage = "merge", .done = 3, .total = 3});
  EXPECT_EQ(Lines().size(), 1u);
}

TEST(ConsoleTest, KeepsTheBarBelowLines) {
  Captured captured;
  {
    Console console(captured.fd());
    console.SetBar("bar");
    console.Line("a line");
  }
  EXPECT_EQ(captured.text(),
            "\r\x1b[Kbar"
            "\r\x1b[Ka line\nbar"
            "\r\x1b[K");
}

TEST(ConsoleLogTest, MarksWarningsAndLeavesOutWhatIsBelowItsLevel) {
  Captured captured;
  Console console(captured.fd());
  ConsoleLog log(console, LogLevel::kInfo);
  log.Debug("one");
  log.Info("two");
  log.Warning("three");
  EXPECT_EQ(captured.text(), "two\nwarning: three\n");
}

TEST(ParseProgressMode, KnowsTheFiveAndNoOther) {
  for (const std::string_view text : {"auto", "bar", "plain", "json", "none"})
    EXPECT_TRUE(ParseProgressMode(text)) << text;
  for (const std::string_view text : {"", "Bar", "jsonl", "no"}) EXPECT_FALSE(ParseProgressMode(text)) << text;
}

}  // namespace
}  // namespace hostapp::cli
