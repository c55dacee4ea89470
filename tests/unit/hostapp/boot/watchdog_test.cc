// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/watchdog.h"

#include <gmock/gmock.h>

#include <filesystem>

#include "hostapp/base/strings.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Optional;

struct WatchdogTest : ::testing::Test {
  void Has(const std::string& name, const std::string& state) {
    testing::WriteText(StrCat(dir.path(), "/sys/class/watchdog/", name, "/state"), state);
  }
  const testing::TempDir dir;
};

TEST_F(WatchdogTest, WarnsWithoutOne) {
  EXPECT_THAT(WatchdogWarning(dir.path()), Optional(HasSubstr("has no watchdog")));
  std::filesystem::create_directories(dir / "sys/class/watchdog");
  EXPECT_THAT(WatchdogWarning(dir.path()), Optional(HasSubstr("has no watchdog")));
}

TEST_F(WatchdogTest, WarnsWhereNoneRunsAndSaysHowToStartIt) {
  Has("watchdog0", "inactive\n");
  EXPECT_THAT(WatchdogWarning(dir.path()), Optional(HasSubstr("hostapp.watchdog=60 systemd.watchdog_sec=60")));
}

TEST_F(WatchdogTest, IsContentWithOneThatRunsOrDoesNotSay) {
  Has("watchdog0", "inactive\n");
  Has("watchdog1", "active\n");
  EXPECT_THAT(WatchdogWarning(dir.path()), Eq(std::nullopt));
  std::filesystem::remove_all(dir / "sys/class/watchdog");
  std::filesystem::create_directories(dir / "sys/class/watchdog/watchdog0");
  EXPECT_THAT(WatchdogWarning(dir.path()), Eq(std::nullopt));
}

}  // namespace
}  // namespace hostapp
