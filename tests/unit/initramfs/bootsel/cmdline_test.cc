// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/cmdline.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/initramfs/bootsel/samples.h"

namespace hostapp::bootsel {
namespace {

const std::string kSet = "hostapp.boot-set=" + std::string(32, '0') + std::string(32, 'f');

TEST(ParseAsked, UnderstandsAnEntryAmongOtherArguments) {
  const Asked asked = ParseAsked("root=UUID=1 ro quiet hostapp.deployment=17 " + kSet + " console=ttyS0\n");
  EXPECT_EQ(asked.serial, 17U);
  EXPECT_EQ(asked.boot_set.bytes[15], 0x00);
  EXPECT_EQ(asked.boot_set.bytes[16], 0xff);
}

TEST(ParseAsked, AsksForNothingUnlessBothArgumentsAreThereOnceAndWellFormed) {
  const std::string kOther = "hostapp.boot-set=" + std::string(64, '1');
  const std::string kCases[] = {
      "",
      "hostapp.deployment=1",
      kSet,
      "hostapp.deployment=1 hostapp.deployment=1 " + kSet,
      "hostapp.deployment=1 hostapp.deployment=2 " + kSet,
      "hostapp.deployment=1 " + kSet + " " + kOther,
      "hostapp.deployment=1 " + kSet + " " + kSet,
      "hostapp.deployment= " + kSet,
      "hostapp.deployment " + kSet,
      "hostapp.deployment=0 " + kSet,
      "hostapp.deployment=01 " + kSet,
      "hostapp.deployment=+1 " + kSet,
      "hostapp.deployment=-1 " + kSet,
      "hostapp.deployment=1x " + kSet,
      "hostapp.deployment=../1 " + kSet,
      "hostapp.deployment=18446744073709551616 " + kSet,
      "hostapp.deployment=99999999999999999999999999 " + kSet,
      "hostapp.deployment=\xef\xbc\x91 " + kSet,
      "hostapp.deployment=1 hostapp.boot-set=" + std::string(63, '1'),
      "hostapp.deployment=1 hostapp.boot-set=" + std::string(65, '1'),
      "hostapp.deployment=1 hostapp.boot-set=" + std::string(64, 'F'),
      "hostapp.deployment=1 hostapp.boot-set=" + std::string(64, 'g'),
      "hostapp.deployment=1 hostapp.boot-set=sha256:" + std::string(64, '1'),
      "hostapp.deployment=1 -- " + kSet,
      "-- hostapp.deployment=1 " + kSet,
      "Hostapp.deployment=1 " + kSet,
      "hostapp.deployment=1" + kSet,
      "\"hostapp.deployment=1 " + kSet,
  };
  for (const std::string& cmdline : kCases) EXPECT_EQ(ParseAsked(cmdline), Asked{}) << cmdline;
}

TEST(ParseAsked, TakesTheGreatestSerial) {
  EXPECT_EQ(ParseAsked("hostapp.deployment=9223372036854775807 " + kSet).serial, kMaxSerial);
  EXPECT_EQ(ParseAsked("hostapp.deployment=9223372036854775808 " + kSet).serial, kNoSerial);
}

TEST(ArgumentReader, ReadsQuotesAsTheKernelDoes) {
  ArgumentReader reader("  a=\"b c\" \"d=e f\"\tg \"h\" i= j=k=l open=\"x y");
  struct Want {
    const char* key;
    const char* value;
    bool has_value;
  };
  const Want kWants[] = {{"a", "b c", true}, {"d", "e f", true}, {"g", "", false},     {"h", "", false},
                         {"i", "", true},    {"j", "k=l", true}, {"open", "x y", true}};
  for (const Want& want : kWants) {
    Argument argument;
    ASSERT_TRUE(reader.Next(argument));
    EXPECT_EQ(argument.key, want.key);
    EXPECT_EQ(argument.value, want.value);
    EXPECT_EQ(argument.has_value, want.has_value) << want.key;
  }
  Argument argument;
  EXPECT_FALSE(reader.Next(argument));
}

TEST(LastValue, TakesTheLastOfSeveralAndNothingAfterTheDashes) {
  EXPECT_EQ(LastValue("root=/dev/a quiet root=/dev/b -- root=/dev/c", "root"), "/dev/b");
  EXPECT_EQ(LastValue("rootfstype=ext4", "root"), "");
  EXPECT_TRUE(HasArgument("quiet hostapp.shell", "hostapp.shell"));
  EXPECT_FALSE(HasArgument("hostapp.shells -- hostapp.shell", "hostapp.shell"));
}

}  // namespace
}  // namespace hostapp::bootsel
