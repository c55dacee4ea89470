// SPDX-License-Identifier: Apache-2.0
// The loader does what the ledger says, whatever was cut in between. GRUB's adapter stands for all: each is held to the
// same behaviour by its own suite.
#include "hostapp/boot/follow_ledger.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/boot/health.h"
#include "hostapp/boot/mark.h"
#include "hostapp/boot/reconcile.h"
#include "hostapp/boot/rollback.h"
#include "hostapp/boot/status.h"
#include "hostapp/lifecycle/keep.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestSysroot;

// Deployments 1 (previous) and 2 (default), proven, and 3, which is not; GRUB follows.
struct GrubDevice : TestSysroot {
  GrubDevice()
      : quiet_ctx{.clock = context().clock,
                  .log = context().log,
                  .progress = context().progress,
                  .cancel = {},
                  .sys = quiet} {
    CHECK(WriteLoaderConfig(Open(), {.kind = LoaderKind::kGrub}, ctx()).ok());
    for (const DeploymentSerial serial : {1U, 2U, 3U}) {
      Deployment deployment = SampleDeployment(serial);
      deployment.boot_set = AddBootSet(StrCat("kernel ", serial));
      Add(deployment, serial != 3);
    }
    SetPrevious(Get(1));
    SetDefault(Get(2));
    CHECK(Follow().ok());
  }
  static Deployment SampleDeployment(DeploymentSerial serial) { return testing::SampleDeployment(serial); }
  HashValue AddBootSet(const std::string& kernel) {
    const std::string sums = StrCat(HashOf(AsBytes(kernel)).Hex(), "  linux\n");
    const HashValue digest = HashOf(AsBytes(sums));
    testing::WriteText(StrCat(boot(), "/hostapp/", digest.Hex(), "/linux"), kernel);
    testing::WriteText(StrCat(boot(), "/hostapp/", digest.Hex(), "/SHA256SUMS"), sums);
    return digest;
  }
  OpContext With(Syscalls& sys) {
    return {.clock = context().clock, .log = context().log, .progress = context().progress, .cancel = {}, .sys = sys};
  }
  Deployment Get(DeploymentSerial serial) { return LoadDeployment(Open(), serial).value(); }
  Device device() { return OpenDevice(paths(), quiet_ctx).value(); }
  Status Follow() { return FollowLedger(device(), LockLedger(), quiet_ctx); }
  void StartTrial3(int tries = 3) {
    SetTrial(Get(3), tries);
    CHECK(Follow().ok());
  }
  LoaderState State() {
    const Sysroot sysroot = Open();
    return OpenLoader(sysroot).value()->Read().value();
  }
  // As GRUB does before it starts the trial.
  void LoaderCounts(int tries) {
    const Sysroot sysroot = Open();
    CHECK(OpenLoader(sysroot).value()->Arm(EntryOf(Get(2)), EntryOf(Get(3)), tries, quiet_ctx).ok());
  }

  testing::FaultySyscalls quiet;  // does not freeze the machine
  OpContext quiet_ctx;
};

using Trial = LoaderState::Trial;

TEST(FollowLedger, BlessesTheDefaultAndStagesWhatItNeeds) {
  GrubDevice device;
  EXPECT_EQ(device.State(), (LoaderState{.default_serial = 2, .trial = {}, .entries = {1, 2}, .proven = {1, 2}}));
}

TEST(FollowLedger, LeavesTheLoaderAloneWhileTheBootFileSystemIsNotMounted) {
  GrubDevice device;
  device.StartTrial3();
  device.Boot(3, "trial");
  SysrootPaths paths = device.paths();
  paths.boot.clear();
  const Device without_boot = OpenDevice(paths, device.quiet_ctx).value();
  EXPECT_EQ(GetStatus(without_boot, device.quiet_ctx).value().next_boot, 3U);
  EXPECT_EQ(MarkGood(without_boot, device.quiet_ctx).value(), 3U);
  EXPECT_EQ(device.Ledger().default_deployment.serial, 3U);
  EXPECT_EQ(device.State().default_serial, 2U);
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.State().default_serial, 3U);
}

TEST(FollowLedger, ArmsTheTrialWithTheLedgersTries) {
  GrubDevice device;
  device.StartTrial3(5);
  EXPECT_EQ(device.State().trial, (Trial{.serial = 3, .tries_left = 5}));
  EXPECT_EQ(device.State().default_serial, 2U);
}

TEST(FollowLedger, StagesAndArmsAgainWhatTheLoaderHasLost) {
  GrubDevice device;
  device.StartTrial3();
  std::filesystem::remove_all(device.boot() + "/hostapp/grub");
  device.Boot(2);
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(
      device.State(),
      (LoaderState{
          .default_serial = 2, .trial = Trial{.serial = 3, .tries_left = 3}, .entries = {1, 2, 3}, .proven = {1, 2}}));
}

TEST(FollowLedger, KeepsTheLoadersOwnCountUntilTheTrialsUserSpaceIsReached) {
  GrubDevice device;
  device.StartTrial3(3);
  device.LoaderCounts(1);
  device.Boot(2);
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.State().trial, (Trial{.serial = 3, .tries_left = 1}));
  device.Boot(3, "trial");
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.State().trial, (Trial{.serial = 3, .tries_left = 3}));
}

TEST(FollowLedger, MarkGoodBlessesAndMarksTheEntry) {
  GrubDevice device;
  device.StartTrial3();
  device.Boot(3, "trial");
  ASSERT_TRUE(MarkGood(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.State(), (LoaderState{.default_serial = 3, .trial = {}, .entries = {1, 2, 3}, .proven = {1, 2, 3}}));
}

TEST(FollowLedger, MarkFailedAndRollbackGoBackToTheDefault) {
  GrubDevice device;
  device.StartTrial3();
  device.Boot(3, "trial");
  ASSERT_TRUE(MarkFailed(device.device(), bootsel::Cause::kMarkedFailed, "no", device.quiet_ctx).ok());
  EXPECT_EQ(device.State().trial, std::nullopt);
  EXPECT_EQ(device.State().default_serial, 2U);
  device.Boot(2);
  ASSERT_TRUE(Rollback(device.device(), std::nullopt, device.quiet_ctx).ok());
  EXPECT_EQ(device.State().default_serial, 1U);
  ASSERT_TRUE(Rollback(device.device(), 3, device.quiet_ctx).ok());
  EXPECT_EQ(device.State().trial, (Trial{.serial = 3, .tries_left = 3}));
}

TEST(FollowLedger, ACutBetweenLedgerAndLoaderIsSettledByReconcile) {
  GrubDevice device;
  device.SetTrial(device.Get(3));  // deploy wrote the ledger, and no more
  device.Boot(2);
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.State().trial, (Trial{.serial = 3, .tries_left = 3}));
  device.Boot(3, "trial");
  device.Edit(
      [](bootsel::Ledger& ledger) { bootsel::PromoteTrial(ledger); });  // mark-good wrote the ledger, and no more
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.State().default_serial, 3U);
  EXPECT_EQ(device.State().trial, std::nullopt);
}

TEST(FollowLedger, ALoaderThatUsedUpItsTriesWithoutTheHelperHasGivenUp) {
  GrubDevice device;
  device.StartTrial3(3);
  device.LoaderCounts(0);
  device.Boot(2);
  const auto report = Reconcile(device.device(), device.quiet_ctx);
  ASSERT_TRUE(report.ok());
  EXPECT_THAT(report->settled, ElementsAre(HasSubstr("deployment 3 never reached its initramfs")));
  EXPECT_EQ(device.Ledger().last_failure.cause, bootsel::Cause::kLoaderGaveUp);
  EXPECT_EQ(device.Ledger().trial.serial, bootsel::kNoSerial);
  EXPECT_EQ(device.State().trial, std::nullopt);
}

TEST(FollowLedger, ATrialWhoseRecordIsDamagedHasFailedAndDoesNotKeepTheDefaultsAttempts) {
  for (const bool gone : {false, true}) {
    GrubDevice device;
    device.StartTrial3();
    device.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 2; });
    const std::string record = device.DeploymentPath(3) + "/deployment.json";
    testing::WriteText(record, "rubbish");
    if (gone) std::filesystem::remove(record);
    device.Boot(2);
    const auto report = Reconcile(device.device(), device.quiet_ctx);
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_THAT(report->settled, ElementsAre(HasSubstr("deployment 3 cannot be tried")));
    EXPECT_EQ(device.Ledger().default_attempts, 0U);
    EXPECT_EQ(device.Ledger().last_failure.cause, bootsel::Cause::kMount);
    EXPECT_EQ(device.Ledger().trial.serial, bootsel::kNoSerial);
    EXPECT_EQ(device.State().trial, std::nullopt);
  }
}

TEST(FollowLedger, ALoaderThatCannotBeReadDoesNotKeepTheDefaultsAttempts) {
  GrubDevice device;
  device.StartTrial3();
  device.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 2; });
  const std::string entries = device.boot() + "/hostapp/grub/entries";
  std::filesystem::remove_all(entries);
  testing::WriteText(entries, "no folder");
  device.Boot(2);
  EXPECT_FALSE(Reconcile(device.device(), device.quiet_ctx).ok()) << "it does not follow";
  EXPECT_EQ(device.Ledger().default_attempts, 0U);
  EXPECT_EQ(device.Ledger().trial.serial, 3U) << "nothing is known against it";
  EXPECT_THAT(device.context().log.warnings(), Contains(HasSubstr("gave up on deployment 3")));
}

TEST(FollowLedger, ATrialWhoseKernelIsDamagedHasFailedAsSoonAsTheDefaultRuns) {
  GrubDevice device;
  device.StartTrial3(3);
  testing::WriteText(StrCat(device.boot(), "/hostapp/", device.Get(3).boot_set.Hex(), "/linux"), "rubbish");
  device.Boot(2);
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.Ledger().last_failure.cause, bootsel::Cause::kLoaderGaveUp);
  EXPECT_THAT(std::string(device.Ledger().last_failure.Text()), HasSubstr("linux has sha256"));
}

struct ReadOnlyBoot : testing::FaultySyscalls {
  int OpenAt(int dir, const char* path, int flags, mode_t mode) override {
    const bool writes = (flags & O_ACCMODE) != O_RDONLY;
    return writes && std::string_view(path) == "env" ? -EROFS : FaultySyscalls::OpenAt(dir, path, flags, mode);
  }
};

TEST(FollowLedger, ATrialThatFailsItsChecksIsLeftEvenIfTheLoaderCannotBeTold) {
  GrubDevice device;
  device.StartTrial3();
  device.Boot(3, "trial");
  ReadOnlyBoot read_only;
  OpContext ctx = device.With(read_only);
  HealthOptions options{.root = device.dir() / "running", .systemctl = {}};
  const std::string check = options.root + "/usr/lib/hostapp/health.d/required/network";
  testing::WriteText(check, "#!/bin/sh\nexit 1\n");
  std::filesystem::permissions(check, std::filesystem::perms(0755));
  const auto proof = ProveRunning(device.device(), options, ctx);
  ASSERT_TRUE(proof.ok()) << "no verdict, so no restart: " << proof.error().message();
  EXPECT_EQ(proof->verdict, ProofReport::Verdict::kFailed);
  EXPECT_EQ(device.Ledger().last_failure.serial, 3U);
  EXPECT_THAT(device.context().log.warnings(), Contains(HasSubstr("opening GRUB's environment block")));
}

TEST(FollowLedger, ATryGivenBackAtShutdownIsTheLoadersToo) {
  GrubDevice device;
  device.StartTrial3(1);
  device.LoaderCounts(0);
  device.Edit([](bootsel::Ledger& ledger) { ledger.trial.tries_left = 0; });
  device.Boot(3, "trial");
  ASSERT_TRUE(GiveTryBackAtShutdown(device.device(), device.quiet_ctx).value());
  EXPECT_EQ(device.State().trial, (Trial{.serial = 3, .tries_left = 1}));
}

TEST(FollowLedger, ADeploymentThatIsRemovedIsNoEntryAnyMore) {
  GrubDevice device;
  device.StartTrial3();
  device.Boot(2);
  ASSERT_TRUE(Rollback(device.device(), std::nullopt, device.quiet_ctx).ok());
  ASSERT_TRUE(Remove(device.device(), 3, device.quiet_ctx).ok());
  EXPECT_THAT(device.State().entries, ElementsAre(1, 2));
}

TEST(FollowLedger, ThePreviousOneGetsAnEntryAndAMarkAgainThatWereLost) {
  for (const char* lost : {"entries", "entries/0000000001", "entries/0000000001/good"}) {
    GrubDevice device;
    std::filesystem::remove_all(StrCat(device.boot(), "/hostapp/grub/", lost));
    EXPECT_THAT(device.State().proven, ::testing::Not(Contains(1U)));
    device.Boot(2);
    ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
    EXPECT_EQ(device.State(), (LoaderState{.default_serial = 2, .trial = {}, .entries = {1, 2}, .proven = {1, 2}}))
        << lost;
  }
}

TEST(FollowLedger, APreviousOneThatIsNotProvenOrWasGivenUpGetsNone) {
  GrubDevice device;
  device.SetPrevious(device.Get(3));
  ASSERT_TRUE(device.Follow().ok());
  EXPECT_THAT(device.State().entries, ElementsAre(1, 2));
  device.SetPrevious(device.Get(1));
  device.Boot(2);
  ASSERT_EQ(GiveUpPrevious(device.device(), device.quiet_ctx).value(), 1U);
  ASSERT_TRUE(Remove(device.device(), 1, device.quiet_ctx).ok());
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_THAT(device.State().entries, ElementsAre(2));
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), std::nullopt);
}

TEST(FollowLedger, APreviousOneThatCannotBeKeptKeepsNothingElseFromTheLoader) {
  GrubDevice device;
  std::filesystem::remove_all(device.boot() + "/hostapp/grub/entries/0000000001");
  testing::WriteText(device.DeploymentPath(1) + "/deployment.json", "{");
  device.SetTrial(device.Get(3));
  device.Boot(2);
  ASSERT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_EQ(device.State().trial, (Trial{.serial = 3, .tries_left = 3}));
  EXPECT_THAT(device.context().log.warnings(), Contains(HasSubstr("cannot go back to deployment 1 by itself")));
}

TEST(FollowLedger, MarkGoodAtEveryFailingCallLeavesWhatReconcileFinishes) {
  std::optional<GrubDevice> device;
  const auto prepare = [&] {
    device.emplace();
    device->StartTrial3();
    device->Boot(3, "trial");
  };
  const auto marks = [&](Syscalls& sys) {
    OpContext ctx{.clock = device->context().clock,
                  .log = device->context().log,
                  .progress = device->context().progress,
                  .cancel = {},
                  .sys = sys};
    return MarkGood(device->device(), ctx).status();
  };
  const int calls =
      testing::ForEveryFailingCall(EIO, testing::FaultySyscalls::Which::kThatAndAllAfter, prepare, marks,
                                   [&](const auto& sys, const Status& status) {
                                     ASSERT_TRUE(Reconcile(device->device(), device->quiet_ctx).ok());
                                     const bool proven = device->Ledger().default_deployment.serial == 3;
                                     EXPECT_EQ(device->State().default_serial, proven ? 3U : 2U) << sys.failed_call();
                                     EXPECT_EQ(device->State().trial.has_value(), !proven) << sys.failed_call();
                                     EXPECT_TRUE(proven || !status.ok());
                                   });
  EXPECT_GT(calls, 8);
}

TEST(WhatLoaderLacks, NamesTheFirstThingThatIsNotAsTheLedgerSays) {
  GrubDevice device;
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), std::nullopt);
  device.SetTrial(device.Get(3));
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), "grub has no whole entry for deployment 3");
  ASSERT_TRUE(device.Follow().ok());
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), std::nullopt);
  device.LoaderCounts(1);
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), std::nullopt) << "its count is its own";
  device.Edit([](bootsel::Ledger& ledger) { ledger.trial = {}; });
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), "grub tries deployment 3, the boot ledger says 0 (0: none)");
  device.SetDefault(device.Get(1));
  ASSERT_TRUE(device.Follow().ok());
  device.SetDefault(device.Get(2));
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), "grub starts deployment 1 by default, the boot ledger says 2");
  testing::WriteText(device.boot() + "/hostapp/grub/entries/0000000002/entry.cfg", "rubbish");
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), "grub has no whole entry for deployment 2");
}

TEST(WhatLoaderLacks, NamesAMarkOfGoodnessThatIsGone) {
  GrubDevice device;
  device.SetDefault(device.Get(2));
  ASSERT_TRUE(device.Follow().ok());
  ASSERT_EQ(WhatLoaderLacks(device.device()).value(), std::nullopt);
  ASSERT_TRUE(std::filesystem::remove(device.boot() + "/hostapp/grub/entries/0000000002/good"));
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), "grub does not know that deployment 2 has proved itself");
  ASSERT_TRUE(device.Follow().ok());
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), std::nullopt);
}

TEST(WhatLoaderLacks, NamesThePreviousOnesEntryAndMarkToo) {
  GrubDevice device;
  const std::string entry = device.boot() + "/hostapp/grub/entries/0000000001";
  ASSERT_TRUE(std::filesystem::remove(entry + "/good"));
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), "grub does not know that deployment 1 has proved itself");
  std::filesystem::remove_all(entry);
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), "grub has no whole entry for deployment 1");
  ASSERT_TRUE(device.Follow().ok());
  EXPECT_EQ(WhatLoaderLacks(device.device()).value(), std::nullopt);
}

TEST(OpenLoader, FollowsTheOneWhoseFilesAreThereWhereItsConfigIsGone) {
  GrubDevice device;
  EXPECT_EQ(LoaderWithoutConfig(device.Open()), std::nullopt);
  ASSERT_TRUE(device.Follow().ok());
  ASSERT_TRUE(std::filesystem::remove(device.root() + "/hostapp/loader.json"));
  EXPECT_EQ(LoaderWithoutConfig(device.Open()), LoaderKind::kGrub);
  const Sysroot sysroot = device.Open();
  EXPECT_EQ(OpenLoader(sysroot).value()->kind(), LoaderKind::kGrub);
  std::filesystem::remove_all(device.boot() + "/hostapp/grub");
  EXPECT_EQ(LoaderWithoutConfig(device.Open()), std::nullopt);
  EXPECT_EQ(OpenLoader(sysroot).value()->kind(), LoaderKind::kNone);
}

TEST(LoaderConfig, ComesBackAsItWasAndRefusesWhatIsNotKnown) {
  const LoaderConfig config{.kind = LoaderKind::kSystemdBoot, .boot = "PARTUUID=1", .esp = std::nullopt};
  EXPECT_EQ(ParseLoaderConfig(LoaderConfigJson(config)).value(), config);
  EXPECT_EQ(ParseLoaderConfig("{\"loader\": \"lilo\"}").error().message(),
            "loader.json: loader \"lilo\" is not known here");
  EXPECT_FALSE(ParseLoaderConfig("{}").ok());
  EXPECT_FALSE(ParseLoaderConfig("{\"loader\": 1}").ok());
}

}  // namespace
}  // namespace hostapp
