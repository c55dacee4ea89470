// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/arm_trial.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using testing::TestSysroot;

Result<bool> Arm(TestSysroot& sysroot, const Deployment& deployment, int tries = 3, DeploymentSerial etc_from = 0) {
  const std::optional<Booted> booted = ReadBooted(sysroot.Open()).value();
  return ArmTrial(sysroot.LockLedger(), sysroot.Open(), deployment, tries, etc_from, booted, sysroot.ctx());
}

TEST(ArmTrial, MakesTheFirstDeploymentOfASysrootTheDefault) {
  TestSysroot sysroot;
  const Deployment first = sysroot.Add(1, false);
  EXPECT_FALSE(Arm(sysroot, first).value());
  EXPECT_EQ(sysroot.Ledger().default_deployment, Name(first));
  EXPECT_EQ(sysroot.Ledger().trial.serial, bootsel::kNoSerial);
}

TEST(ArmTrial, WritesDownAllThatTheHelperNeeds) {
  TestSysroot sysroot;
  sysroot.SetDefault(sysroot.Add(1));
  const Deployment next = sysroot.Add(2, false);
  EXPECT_TRUE(Arm(sysroot, next, 5, 1).value());
  const bootsel::Ledger ledger = sysroot.Ledger();
  EXPECT_EQ(ledger.default_deployment.serial, 1u);
  EXPECT_EQ(ledger.trial.serial, 2u);
  EXPECT_EQ(ledger.trial.boot_set, LedgerDigest(next.boot_set));
  EXPECT_EQ(ledger.trial.manifest, LedgerManifest(next.manifest_digest));
  EXPECT_EQ(ledger.trial.etc_from, 1u);
  EXPECT_EQ(ledger.trial.tries_left, 5);
  EXPECT_EQ(ledger.trial.give_backs_used, 0);
}

TEST(ArmTrial, ReplacesATrialThatWaits) {
  TestSysroot sysroot;
  sysroot.SetDefault(sysroot.Add(1));
  sysroot.SetTrial(sysroot.Add(2, false), 1);
  sysroot.Boot(1);
  EXPECT_TRUE(Arm(sysroot, sysroot.Add(3, false)).value());
  EXPECT_EQ(sysroot.Ledger().trial.serial, 3u);
  EXPECT_EQ(sysroot.Ledger().trial.tries_left, 3);
  EXPECT_EQ(sysroot.Ledger().last_failure.serial, bootsel::kNoSerial) << "it has not failed";
}

TEST(ArmTrial, IsBusyWhileATrialRuns) {
  TestSysroot sysroot;
  sysroot.SetDefault(sysroot.Add(1));
  sysroot.SetTrial(sysroot.Add(2, false));
  sysroot.Boot(2, "trial");
  const bootsel::Ledger before = sysroot.Ledger();
  const Result<bool> armed = Arm(sysroot, sysroot.Add(3, false));
  ASSERT_FALSE(armed.ok());
  EXPECT_EQ(armed.error().code(), Errc::kBusy);
  EXPECT_EQ(sysroot.Ledger(), before);
}

TEST(ArmTrial, TakesOneToNineTries) {
  TestSysroot sysroot;
  sysroot.SetDefault(sysroot.Add(1));
  const Deployment next = sysroot.Add(2, false);
  for (const int tries : {-1, 0, 10, 300}) {
    EXPECT_EQ(Arm(sysroot, next, tries).error().code(), Errc::kInvalid) << tries;
    EXPECT_EQ(sysroot.Ledger().trial.serial, bootsel::kNoSerial);
  }
  EXPECT_TRUE(Arm(sysroot, next, 1).ok());
  EXPECT_TRUE(Arm(sysroot, next, 9).ok());
  EXPECT_EQ(sysroot.Ledger().trial.tries_left, 9);
}

}  // namespace
}  // namespace hostapp
