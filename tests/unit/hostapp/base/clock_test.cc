// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/clock.h"

#include <gtest/gtest.h>

#include "tests/support/test_context.h"

namespace hostapp {
namespace {

TEST(ParseTime, ReadsRfc3339) {
  EXPECT_EQ(ParseTime("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ParseTime("2026-11-22T16:38:29Z"), 1795365509);
  EXPECT_EQ(ParseTime("2026-11-22T16:38:29.123456789Z"), 1795365509);
  EXPECT_EQ(ParseTime("2026-11-22T17:38:29+01:00"), 1795365509);
  EXPECT_EQ(ParseTime("2026-11-22T11:08:29-05:30"), 1795365509);
  EXPECT_EQ(ParseTime("1969-12-31T23:59:59Z"), -1);
  EXPECT_EQ(ParseTime("2024-02-29T00:00:00Z"), 1709164800);
  EXPECT_EQ(ParseTime("2016-12-31T23:59:60Z"), 1483228800);  // a leap second is the next second
}

TEST(ParseTime, RefusesWhatIsNotATime) {
  for (const char* bad :
       {"", "2026-11-22", "2026-11-22T16:38:29", "2026-11-22 16:38:29Z", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
        "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-11-00T00:00:00Z", "2026-11-22T24:00:00Z",
        "2026-11-22T16:60:00Z", "2026-11-22T16:38:61Z", "2026-11-22T16:38:29.Z", "2026-11-22T16:38:29Zx",
        "2026-11-22T16:38:29+1:00", "2026-11-22T16:38:29+24:00", "+026-11-22T16:38:29Z", "2026-11-22T16:38:29.5",
        "2026-11-2xT16:38:29Z"}) {
    EXPECT_EQ(ParseTime(bad), std::nullopt) << bad;
  }
}

TEST(FormatTime, IsWhatParseTimeReads) {
  for (const int64_t time : {int64_t{0}, int64_t{1795365509}, int64_t{-1}, int64_t{253402300799}}) {
    EXPECT_EQ(ParseTime(FormatTime(time)), time) << FormatTime(time);
  }
}

TEST(FormatTime, WritesFourDigitsForEveryYear) {
  for (const char* text : {"0168-11-22T17:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"}) {
    ASSERT_TRUE(ParseTime(text).has_value()) << text;
    EXPECT_EQ(FormatTime(*ParseTime(text)), text);
  }
  EXPECT_EQ(ParseTime("9999-12-31T23:59:59-00:01"), std::nullopt);
  EXPECT_EQ(ParseTime("0000-01-01T00:00:00+00:01"), std::nullopt);
  EXPECT_EQ(FormatTime(INT64_MAX), "9999-12-31T23:59:59Z");
}

TEST(PlausibleNow, KnowsAClockThatLostItsBattery) {
  testing::FakeClock dead(0), of_two_digits(ParseTime("2070-01-01T00:00:12Z").value()), set(1800000000);
  EXPECT_EQ(PlausibleNow(dead), std::nullopt);
  EXPECT_EQ(PlausibleNow(of_two_digits), std::nullopt);
  EXPECT_EQ(PlausibleNow(set), 1800000000);
}

}  // namespace
}  // namespace hostapp
