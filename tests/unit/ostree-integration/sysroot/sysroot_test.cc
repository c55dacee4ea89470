// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/sysroot.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

TEST(MakeSysrootDirs, MakesASysrootThatOpensWithAndWithoutItsBootFileSystem) {
  testing::TempDir dir;
  testing::TestContext context;
  const SysrootPaths apart{.root = dir / "root", .boot = dir / "boot"};
  ASSERT_TRUE(MakeSysrootDirs(apart, context.ctx).ok());
  EXPECT_TRUE(Sysroot::Open(apart, context.ctx).ok());
  // As on a device for which the boot file system is not mounted, for verbs that do not look at it.
  EXPECT_TRUE(Sysroot::Open({.root = dir / "root", .boot = dir / "root/boot"}, context.ctx).ok());
}

}  // namespace
}  // namespace hostapp
