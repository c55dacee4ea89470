// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/transitions.h"

#include <gtest/gtest.h>

#include "tests/unit/initramfs/bootsel/samples.h"

namespace hostapp::bootsel {
namespace {

TEST(FailTrial, RemembersTheReleaseAndEndsTheTrial) {
  Ledger ledger;
  ledger.default_deployment = Deployment(1);
  ledger.trial = TrialOf(2, 3);
  FailTrial(ledger, Cause::kCheckFailed, "database.sh: exit 1", 1234);
  EXPECT_EQ(ledger.trial, Trial{});
  EXPECT_EQ(ledger.default_deployment, Deployment(1));
  EXPECT_EQ(ledger.last_failure.serial, 2U);
  EXPECT_EQ(ledger.last_failure.manifest, ManifestOf(2));
  EXPECT_EQ(ledger.last_failure.cause, Cause::kCheckFailed);
  EXPECT_EQ(ledger.last_failure.time, 1234);
  EXPECT_EQ(ledger.last_failure.Text(), "database.sh: exit 1");
  EXPECT_TRUE(ledger.failed.Contains(ManifestOf(2)));
  const Ledger once = ledger;
  FailTrial(ledger, Cause::kUnknown, "", {});
  EXPECT_EQ(ledger, once);
}

TEST(PromoteTrial, MakesTheOldDefaultThePreviousOne) {
  Ledger ledger;
  ledger.default_deployment = Deployment(1);
  ledger.previous = Deployment(7);
  ledger.trial = TrialOf(2, 1);
  ledger.default_attempts = 2;
  ledger.foreign_boots = 1;
  ledger.failed.Add(ManifestOf(2));
  PromoteTrial(ledger);
  Ledger want;
  want.default_deployment = Deployment(2);
  want.previous = Deployment(1);
  EXPECT_EQ(ledger, want);
  PromoteTrial(ledger);
  EXPECT_EQ(ledger, want);
}

TEST(GiveTryBack, StopsAfterTenTimesATrial) {
  Ledger ledger;
  EXPECT_FALSE(GiveTryBack(ledger)) << "no trial";
  ledger.trial = TrialOf(2, 0);
  for (int i = 0; i < kMaxGiveBacks; i++) {
    EXPECT_TRUE(GiveTryBack(ledger));
    EXPECT_EQ(ledger.trial.tries_left, 1);
    ledger.trial.tries_left = 0;
  }
  EXPECT_FALSE(GiveTryBack(ledger));
  EXPECT_EQ(ledger.trial.tries_left, 0);
}

TEST(ReachUserSpace, ClearsTheAttemptsAndNothingElseInAnOrdinaryBoot) {
  Ledger ledger = FullLedger();
  Ledger want = ledger;
  want.default_attempts = 0;
  ReachUserSpace(ledger, 0x11, DigestOf(0x11), Reason::kDefault, {});
  EXPECT_EQ(ledger, want);
}

TEST(ReachUserSpace, LeavesADefaultThatHasNoAttemptsCountedAgainstIt) {
  Ledger ledger;
  ledger.default_deployment = Deployment(4);
  ledger.previous = Deployment(1);
  const Ledger want = ledger;
  ReachUserSpace(ledger, 1, DigestOf(1), Reason::kDefaultGaveWay, 99);
  EXPECT_EQ(ledger, want);
}

TEST(ReachUserSpace, MakesTheOneThatStoodInTheDefault) {
  Ledger ledger;
  ledger.default_deployment = Deployment(2);
  ledger.previous = Deployment(1);
  ledger.default_attempts = 4;
  Ledger to_previous = ledger;
  ReachUserSpace(to_previous, 1, DigestOf(1), Reason::kDefaultGaveWay, 99);
  EXPECT_EQ(to_previous.default_deployment, Deployment(1));
  EXPECT_EQ(to_previous.previous, Deployment(2));
  EXPECT_EQ(to_previous.default_attempts, 0U);
  EXPECT_EQ(to_previous.last_failure.serial, 2U);
  EXPECT_EQ(to_previous.last_failure.time, 99);
  ReachUserSpace(ledger, 5, DigestOf(5), Reason::kDefaultGaveWay, {});
  EXPECT_EQ(ledger.default_deployment, Deployment(5));
}

}  // namespace
}  // namespace hostapp::bootsel
