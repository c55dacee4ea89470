// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/xxh32.h"

#include <gtest/gtest.h>

#include <string_view>

namespace hostapp::composefs {
namespace {

struct Case {
  std::string_view text;
  uint32_t seed;
  uint32_t hash;
};

// Known answers of XXH32.
constexpr Case kCases[] = {
    {"", 0, 0x02CC5D05},
    {"a", 0, 0x550D7456},
    {"abc", 0, 0x32D153FF},
    {"abcdefghijklmnop", 0, 0x9D2D8B62},
    {"Nobody inspects the spammish repetition", 0, 0xE2293B2F},
    {"", 0x9E3779B1, 0x36B78AE7},
};

TEST(Xxh32, IsWhatTheSpecificationsProgramSays) {
  for (const Case& test : kCases) EXPECT_EQ(Xxh32(AsBytes(test.text), test.seed), test.hash) << test.text;
}

}  // namespace
}  // namespace hostapp::composefs
