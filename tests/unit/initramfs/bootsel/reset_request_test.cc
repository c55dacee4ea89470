// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/reset_request.h"

#include <gtest/gtest.h>

#include <string>

namespace hostapp::bootsel {
namespace {

using namespace std::string_view_literals;

TEST(WhyNotKeepable, AllowsOnlyNormalPathsBelowVarAndEtc) {
  for (const std::string_view path : {"/var/a", "/etc/a/b", "/var/..a/.b", "/var/a b"}) {
    EXPECT_EQ(WhyNotKeepable(path), "") << path;
  }
  for (const std::string_view path :
       {""sv, "/"sv, "/var"sv, "/var/"sv, "/etc/"sv, "/variable/x"sv, "/usr/x"sv, "var/x"sv, "/var//x"sv, "/var/x/"sv,
        "/var/."sv, "/var/x/./y"sv, "/var/../etc"sv, "/var/x/.."sv, "/var/x\ny"sv, "/var/x\0y"sv}) {
    EXPECT_NE(WhyNotKeepable(path), "") << path;
  }
  EXPECT_EQ(WhyNotKeepable("/var/" + std::string(250, 'x')), "");
  EXPECT_NE(WhyNotKeepable("/var/" + std::string(251, 'x')), "");
}

TEST(ParseResetRequest, ReadsThePathsInTheirOrder) {
  ResetRequest request;
  ASSERT_TRUE(ParseResetRequest("hostapp factory-reset 1\n/var/b\n/etc/a\n", request));
  ASSERT_EQ(request.count, 2U);
  EXPECT_EQ(request.paths[0], "/var/b");
  EXPECT_EQ(request.paths[1], "/etc/a");
  EXPECT_TRUE(ParseResetRequest(kResetRequestHeader, request));
  EXPECT_EQ(request.count, 0U);
}

TEST(ParseResetRequest, RefusesWhatNoWriterMakes) {
  ResetRequest request;
  for (const std::string_view body :
       {"/var/a", "\n", "/var/a\n\n", "/usr/a\n", "/var/a\n/var/a\n", "/var/a\n/var/a/b\n", "/var/a/b\n/var/a\n"}) {
    EXPECT_FALSE(ParseResetRequest(std::string(kResetRequestHeader) + std::string(body), request)) << body;
  }
  EXPECT_FALSE(ParseResetRequest("", request));
  EXPECT_FALSE(ParseResetRequest("hostapp factory-reset 2\n", request));
}

TEST(ParseResetRequest, HoldsAsManyAsItMayAndNoMore) {
  ResetRequest request;
  std::string text(kResetRequestHeader);
  for (size_t i = 0; i < kMaxKeptPaths; i++) {
    const std::string number = std::to_string(100 + i);
    text += "/var/" + number + std::string(kMaxKeptPathBytes - 8, 'x') + "\n";
  }
  EXPECT_TRUE(ParseResetRequest(text, request));
  EXPECT_EQ(text.size(), kMaxResetRequestBytes);
  EXPECT_FALSE(ParseResetRequest(text + "/etc/x\n", request));
  text.replace(kResetRequestHeader.size(), kMaxKeptPathBytes, "/etc/a\n/etc/b");
  EXPECT_FALSE(ParseResetRequest(text, request)) << "one too many, though short enough";
}

}  // namespace
}  // namespace hostapp::bootsel
