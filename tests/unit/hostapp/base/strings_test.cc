// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/strings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace hostapp {
namespace {

using ::testing::ElementsAre;

TEST(StrCat, PutsTextCharactersAndNumbersTogether) {
  EXPECT_EQ(StrCat("layer ", 3, '/', uint64_t{7}, " ", -1), "layer 3/7 -1");
  EXPECT_EQ(StrCat(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(Split("a/b//c", '/'), ElementsAre("a", "b", "", "c"));
  EXPECT_THAT(Split("", '/'), ElementsAre(""));
  EXPECT_THAT(Split("/", '/'), ElementsAre("", ""));
}

TEST(ParseUint64, TakesDigitsOnly) {
  EXPECT_EQ(ParseUint64("18446744073709551615"), std::numeric_limits<uint64_t>::max());
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "18446744073709551616", "0x1", "1e3", "1.0"}) {
    EXPECT_EQ(ParseUint64(bad), std::nullopt) << bad;
  }
}

TEST(Hex, DecodesLowerCasePairsOnly) {
  EXPECT_EQ(HexEncode(AsBytes("\x01\xab")), "01ab");
  EXPECT_EQ(AsText(HexDecode("01ab").value()), "\x01\xab");
  for (const char* bad : {"0", "0A", "zz", "0 ", " 0", "0x"}) EXPECT_FALSE(HexDecode(bad)) << bad;
}

TEST(Base64, MatchesTheVectorsOfRfc4648) {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(Base64Encode(AsBytes(plain)), encoded);
    EXPECT_EQ(Base64Decode(encoded), plain);
  }
}

TEST(Base64, RefusesEverySecondSpelling) {
  for (const char* bad :
       {"Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zm-v", "Z=g=", "Zg==Zg=="}) {
    EXPECT_FALSE(Base64Decode(bad)) << bad;
  }
}

TEST(IsValidUtf8, FollowsTheUnicodeTable) {
  for (const char* good :
       {"", "a", "é", "\xe2\x82\xac", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"}) {
    EXPECT_TRUE(IsValidUtf8(good)) << good;
  }
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "a\xc3(", "\xf0\x90\x80"}) {
    EXPECT_FALSE(IsValidUtf8(bad)) << HexEncode(AsBytes(bad));
  }
}

TEST(Escape, LeavesNothingThatMovesATerminal) {
  EXPECT_EQ(Escape("plain é"), "plain é");
  EXPECT_EQ(Escape("\x1b[2J\n\r\t\x7f"), "\\x1b[2J\\x0a\\x0d\\x09\\x7f");
  EXPECT_EQ(Escape(std::string_view("a\0b", 3)), "a\\x00b");
  EXPECT_EQ(Escape("a\\b"), "a\\\\b");
  EXPECT_EQ(Escape("\xff"), "\\xff");
  EXPECT_EQ(Escape("\xc2\x9b"), "\\xc2\\x9b");           // CSI as a C1 control
  EXPECT_EQ(Escape("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
  EXPECT_EQ(Escape("\xd8\x9c"), "\\xd8\\x9c");           // Arabic letter mark, bidirectional too
  EXPECT_EQ(Escape("\xef\xbb\xbf"), "\\xef\\xbb\\xbf");  // zero width no-break space
}

TEST(Escape, GivesDifferentTextsForDifferentInputs) { EXPECT_NE(Escape("\n"), Escape("\\x0a")); }

TEST(HumanBytes, RoundsToOneDigit) {
  EXPECT_EQ(HumanBytes(0), "0 B");
  EXPECT_EQ(HumanBytes(1023), "1023 B");
  EXPECT_EQ(HumanBytes(1536), "1.5 KiB");
  EXPECT_EQ(HumanBytes(uint64_t{5} << 40), "5.0 TiB");
}

}  // namespace
}  // namespace hostapp
