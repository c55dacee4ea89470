// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "hostapp/base/result.h"

namespace hostapp {
namespace {

TEST(ExitCode, IsTheDocumentedOne) {
  const std::pair<Errc, int> documented[] = {{Errc::kIo, 1},          {Errc::kInvalid, 2},   {Errc::kNotFound, 3},
                                             {Errc::kCorrupt, 4},     {Errc::kUntrusted, 4}, {Errc::kUnauthorized, 5},
                                             {Errc::kUnavailable, 6}, {Errc::kNoSpace, 7},   {Errc::kBusy, 8},
                                             {Errc::kCancelled, 9},   {Errc::kInternal, 70}};
  for (const auto& [code, exit] : documented) EXPECT_EQ(ExitCode(code), exit) << ErrcName(code);
}

TEST(SysError, TakesItsCodeFromTheErrno) {
  EXPECT_EQ(SysError(ENOENT, "opening x").code(), Errc::kNotFound);
  EXPECT_EQ(SysError(ENOSPC, "writing x").code(), Errc::kNoSpace);
  EXPECT_EQ(SysError(EDQUOT, "writing x").code(), Errc::kNoSpace);
  EXPECT_EQ(SysError(EIO, "writing x").code(), Errc::kIo);
  EXPECT_EQ(SysError(EIO, "writing x").sys_errno(), EIO);
  EXPECT_EQ(SysError(ENOENT, "opening x").message(), "opening x: No such file or directory");
}

TEST(Status, CollectsContextOutermostFirst) {
  const Status status = Status(Error(Errc::kCorrupt, "expected 812 bytes, got 790")).While("layer ", 3, " of ", 7);
  EXPECT_EQ(status.error().message(), "layer 3 of 7: expected 812 bytes, got 790");
  EXPECT_TRUE(Ok().While("anything").ok());
}

}  // namespace
}  // namespace hostapp
