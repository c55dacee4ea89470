// SPDX-License-Identifier: Apache-2.0
// The verbs that only change the ledger: mark-good, mark-failed, rollback, reconcile, and what status reads in it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/boot/mark.h"
#include "hostapp/boot/reconcile.h"
#include "hostapp/boot/rollback.h"
#include "hostapp/boot/status.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using testing::TestSysroot;

// Deployments 1 (previous), 2 (default), both proven, and 3, which is not.
struct Device3 : TestSysroot {
  Device3() {
    SetPrevious(Add(1));
    SetDefault(Add(2));
    Add(3, false);
  }
  Deployment Get(DeploymentSerial serial) { return LoadDeployment(Open(), serial).value(); }
  void StartTrial3(int tries = 3) { SetTrial(Get(3), tries); }
  Device device() { return OpenDevice(paths(), ctx()).value(); }
  void BootAfterTheDefaultGaveWay(DeploymentSerial to) {
    Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = bootsel::kAttemptsPerCandidate + 1; });
    Boot(to, "default-gave-way");
  }
  bool IsGood(DeploymentSerial serial) { return HasMark(Open(), serial, Mark::kGood); }
};

// -- mark-good, mark-failed

TEST(MarkGood, MakesTheRunningTrialTheDefaultAndProven) {
  Device3 sysroot;
  sysroot.StartTrial3();
  sysroot.Boot(3, "trial");
  EXPECT_EQ(MarkGood(sysroot.device(), sysroot.ctx()).value(), 3u);
  const bootsel::Ledger ledger = sysroot.Ledger();
  EXPECT_EQ(ledger.default_deployment, Name(sysroot.Get(3)));
  EXPECT_EQ(ledger.previous.serial, 2u);
  EXPECT_EQ(ledger.trial.serial, bootsel::kNoSerial);
  EXPECT_TRUE(sysroot.IsGood(3));
}

TEST(MarkGood, IsNotFoundAndChangesNothingUnlessTheTrialRunsUnderAKernelThatProvesSomething) {
  struct Case {
    const char* name;
    bool on_trial;
    DeploymentSerial runs;
    const char* kernel;
    bool good;
  };
  for (const Case& c : {Case{"no trial", false, 2, "own", false}, Case{"another runs", true, 2, "own", false},
                        Case{"foreign kernel", true, 3, "foreign", false}, Case{"own kernel", true, 3, "own", true},
                        Case{"kernel from outside", true, 3, "outside", true}}) {
    Device3 sysroot;
    if (c.on_trial) sysroot.StartTrial3();
    sysroot.Boot(c.runs, c.runs == 3 ? "trial" : "default", c.kernel);
    const bootsel::Ledger before = sysroot.Ledger();
    const auto marked = MarkGood(sysroot.device(), sysroot.ctx());
    EXPECT_EQ(marked.ok(), c.good) << c.name;
    EXPECT_EQ(sysroot.IsGood(3), c.good) << c.name;
    if (c.good) continue;
    EXPECT_EQ(marked.error().code(), Errc::kNotFound) << c.name;
    EXPECT_EQ(sysroot.Ledger(), before) << c.name;
  }
}

TEST(MarkGood, CountsAWaitingTrialAsRunningOffTheDevice) {
  Device3 sysroot;
  sysroot.StartTrial3();
  EXPECT_EQ(MarkGood(sysroot.device(), sysroot.ctx()).value(), 3u);
}

TEST(MarkGood, LeavesAtEveryFailingCallWhatReconcileFinishes) {
  Device3 sysroot;
  testing::ForEveryFailingCall(
      EIO, testing::FaultySyscalls::Which::kThatAndAllAfter,
      [&] {
        std::filesystem::remove(sysroot.DeploymentPath(3) + "/good");
        sysroot.SetDefault(sysroot.Get(2));
        sysroot.StartTrial3(1);
        sysroot.Boot(3, "trial");
      },
      [&](Syscalls& sys) {
        OpContext ctx{sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, sys};
        return MarkGood(sysroot.device(), ctx).status();
      },
      [&](const testing::FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
        const bool good = sysroot.IsGood(3);
        ASSERT_TRUE(Reconcile(sysroot.device(), sysroot.ctx()).ok());
        EXPECT_EQ(sysroot.Ledger().default_deployment.serial, good ? 3u : 2u) << sys.failed_call();
        EXPECT_EQ(sysroot.Ledger().trial.serial, good ? bootsel::kNoSerial : 3u) << sys.failed_call();
      });
}

TEST(MarkFailed, RemembersTheReleaseAndKeepsTheDefault) {
  Device3 sysroot;
  sysroot.StartTrial3();
  sysroot.Boot(3, "trial");
  ASSERT_TRUE(MarkFailed(sysroot.device(), bootsel::Cause::kCheckFailed, "the web server is dead", sysroot.ctx()).ok());
  const bootsel::Ledger ledger = sysroot.Ledger();
  EXPECT_EQ(ledger.default_deployment.serial, 2u);
  EXPECT_EQ(ledger.trial.serial, bootsel::kNoSerial);
  EXPECT_EQ(ledger.last_failure.serial, 3u);
  EXPECT_EQ(ledger.last_failure.cause, bootsel::Cause::kCheckFailed);
  EXPECT_EQ(ledger.last_failure.Text(), "the web server is dead");
  EXPECT_EQ(ledger.last_failure.time, 1800000000);
  EXPECT_TRUE(ledger.failed.Contains(LedgerManifest(sysroot.Get(3).manifest_digest)));
  EXPECT_EQ(StateOf(sysroot.Get(3), ledger), State::kFailed);
}

TEST(MarkFailed, TakesAwayTheMarkOfAMarkGoodThatWasCutShort) {
  Device3 sysroot;
  sysroot.StartTrial3();
  testing::WriteText(sysroot.DeploymentPath(3) + "/good", "");
  ASSERT_TRUE(MarkFailed(sysroot.device(), bootsel::Cause::kMarkedFailed, "", sysroot.ctx()).ok());
  EXPECT_FALSE(sysroot.IsGood(3)) << "it would boot when the ledger is lost";
}

TEST(MarkFailed, ChangesNothingWithoutATrial) {
  Device3 sysroot;
  sysroot.Boot(2);
  const bootsel::Ledger before = sysroot.Ledger();
  const auto failed = MarkFailed(sysroot.device(), bootsel::Cause::kMarkedFailed, "", sysroot.ctx());
  EXPECT_EQ(failed.error().code(), Errc::kNotFound);
  EXPECT_EQ(sysroot.Ledger(), before);
}

// -- rollback

TEST(Rollback, MakesThePreviousDeploymentTheDefault) {
  Device3 sysroot;
  sysroot.Boot(2);
  const RollbackReport report = Rollback(sysroot.device(), std::nullopt, sysroot.ctx()).value();
  EXPECT_EQ(report.serial, 1u);
  EXPECT_FALSE(report.on_trial);
  EXPECT_FALSE(report.trial_ended);
  EXPECT_EQ(sysroot.Ledger().default_deployment, Name(sysroot.Get(1)));
  EXPECT_EQ(sysroot.Ledger().previous, Name(sysroot.Get(2))) << "so that there is a way forward again";
}

TEST(Rollback, EndsATrialThatWaitsOrRunsAndKeepsTheDefault) {
  for (const DeploymentSerial runs : {2u, 3u}) {
    Device3 sysroot;
    sysroot.StartTrial3();
    sysroot.Boot(runs);
    const RollbackReport report = Rollback(sysroot.device(), std::nullopt, sysroot.ctx()).value();
    EXPECT_EQ(report.serial, 2u);
    EXPECT_TRUE(report.trial_ended);
    const bootsel::Ledger ledger = sysroot.Ledger();
    EXPECT_EQ(ledger.default_deployment.serial, 2u);
    EXPECT_EQ(ledger.previous.serial, 1u);
    EXPECT_EQ(ledger.trial.serial, bootsel::kNoSerial);
    EXPECT_EQ(ledger.last_failure.serial, 3u);
    EXPECT_EQ(ledger.last_failure.cause, bootsel::Cause::kMarkedFailed);
  }
}

TEST(Rollback, TakesAwayTheMarkOfAMarkGoodThatWasCutShort) {
  for (const std::optional<DeploymentSerial> to :
       {std::optional<DeploymentSerial>(), std::optional<DeploymentSerial>(1)}) {
    Device3 sysroot;
    sysroot.StartTrial3();
    sysroot.Boot(3, "trial");
    testing::WriteText(sysroot.DeploymentPath(3) + "/good", "");
    ASSERT_TRUE(Rollback(sysroot.device(), to, sysroot.ctx())->trial_ended);
    EXPECT_FALSE(sysroot.IsGood(3)) << "it would boot when the ledger is lost";
    EXPECT_EQ(StateOf(sysroot.Get(3), sysroot.Ledger()), State::kFailed);
  }
}

TEST(Rollback, EndsATrialWhoseDeploymentIsGone) {
  Device3 sysroot;
  sysroot.StartTrial3();
  sysroot.Boot(2);
  std::filesystem::remove_all(sysroot.DeploymentPath(3));
  EXPECT_TRUE(Rollback(sysroot.device(), std::nullopt, sysroot.ctx())->trial_ended);
  EXPECT_EQ(sysroot.Ledger().trial.serial, bootsel::kNoSerial);
}

TEST(Rollback, IsNotFoundWithNothingToGoBackTo) {
  TestSysroot sysroot;
  sysroot.SetDefault(sysroot.Add(1));
  const Device device = OpenDevice(sysroot.paths(), sysroot.ctx()).value();
  EXPECT_EQ(Rollback(device, std::nullopt, sysroot.ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(Rollback(device, 9, sysroot.ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(sysroot.Ledger().default_deployment.serial, 1u);
}

TEST(Rollback, DoesNotMakeADefaultOfWhatIsGone) {
  Device3 sysroot;
  std::filesystem::remove_all(sysroot.DeploymentPath(1));
  const bootsel::Ledger before = sysroot.Ledger();
  EXPECT_EQ(Rollback(sysroot.device(), std::nullopt, sysroot.ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(sysroot.Ledger(), before);
}

TEST(RollbackTo, MakesAProvenDeploymentTheDefaultAndEndsATrial) {
  Device3 sysroot;
  sysroot.StartTrial3();
  const RollbackReport report = Rollback(sysroot.device(), 1, sysroot.ctx()).value();
  EXPECT_EQ(report.serial, 1u);
  EXPECT_FALSE(report.on_trial);
  EXPECT_TRUE(report.trial_ended);
  EXPECT_EQ(sysroot.Ledger().default_deployment.serial, 1u);
  EXPECT_EQ(sysroot.Ledger().previous.serial, 2u);
  EXPECT_EQ(sysroot.Ledger().trial.serial, bootsel::kNoSerial);
}

TEST(RollbackTo, TheDefaultChangesNothingButEndsATrial) {
  Device3 sysroot;
  sysroot.StartTrial3();
  EXPECT_TRUE(Rollback(sysroot.device(), 2, sysroot.ctx())->trial_ended);
  EXPECT_EQ(sysroot.Ledger().default_deployment.serial, 2u);
  EXPECT_EQ(sysroot.Ledger().previous.serial, 1u);
  const bootsel::Ledger before = sysroot.Ledger();
  EXPECT_FALSE(Rollback(sysroot.device(), 2, sysroot.ctx())->trial_ended);
  EXPECT_EQ(sysroot.Ledger(), before);
}

TEST(RollbackTo, MakesAnUnprovenDeploymentATrialAgainInOneWrite) {
  Device3 sysroot;
  sysroot.Add(4, false);
  sysroot.StartTrial3(1);
  sysroot.Boot(2);
  const uint64_t generation = sysroot.Ledger().generation;
  const RollbackReport report = Rollback(sysroot.device(), 4, sysroot.ctx()).value();
  EXPECT_TRUE(report.on_trial);
  EXPECT_TRUE(report.trial_ended);
  const bootsel::Ledger ledger = sysroot.Ledger();
  EXPECT_EQ(ledger.generation, generation + 1);
  EXPECT_EQ(ledger.default_deployment.serial, 2u);
  EXPECT_EQ(ledger.trial.serial, 4u);
  EXPECT_EQ(ledger.trial.tries_left, kDefaultTries);
  EXPECT_EQ(ledger.trial.etc_from, 2u);
  EXPECT_EQ(ledger.last_failure.serial, 3u);
}

TEST(RollbackTo, ForgetsTheEtcOfADeploymentThatIsTriedAgain) {
  Device3 sysroot;
  testing::WriteText(sysroot.DeploymentPath(3) + "/etc/upper/hostname", "of the first try");
  sysroot.Boot(2);
  ASSERT_TRUE(Rollback(sysroot.device(), 3, sysroot.ctx()).ok());
  EXPECT_FALSE(std::filesystem::exists(sysroot.DeploymentPath(3) + "/etc")) << "the helper would take it for complete";
  EXPECT_THAT(testing::NamesIn(sysroot.root() + "/hostapp/tmp"), IsEmpty());
}

TEST(RollbackTo, TheRunningTrialIsBusyAndTheWaitingOneStartsAnew) {
  Device3 sysroot;
  sysroot.StartTrial3(1);
  sysroot.Boot(3, "trial");
  const bootsel::Ledger before = sysroot.Ledger();
  EXPECT_EQ(Rollback(sysroot.device(), 3, sysroot.ctx()).error().code(), Errc::kBusy);
  EXPECT_EQ(sysroot.Ledger(), before);
  sysroot.Boot(2);
  EXPECT_TRUE(Rollback(sysroot.device(), 3, sysroot.ctx())->on_trial);
  EXPECT_EQ(sysroot.Ledger().trial.tries_left, kDefaultTries);
}

TEST(RollbackTo, FinishesAMarkGoodThatWasCutShort) {
  Device3 sysroot;
  sysroot.StartTrial3();
  testing::WriteText(sysroot.DeploymentPath(3) + "/good", "");
  EXPECT_FALSE(Rollback(sysroot.device(), 3, sysroot.ctx())->on_trial);
  EXPECT_EQ(sysroot.Ledger().default_deployment.serial, 3u);
  EXPECT_EQ(sysroot.Ledger().trial.serial, bootsel::kNoSerial) << "one deployment is not both";
}

// -- reconcile

TEST(Reconcile, ClearsTheDefaultsAttemptsAndThenDoesNothing) {
  Device3 sysroot;
  sysroot.Boot(2);
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 2; });
  EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled, IsEmpty());
  EXPECT_EQ(sysroot.Ledger().default_attempts, 0u);
  const bootsel::Ledger before = sysroot.Ledger();
  EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled, IsEmpty());
  EXPECT_EQ(sysroot.Ledger(), before);
}

TEST(Reconcile, ClearsThemEvenIfTheRunningDeploymentsRecordIsDamaged) {
  Device3 sysroot;
  sysroot.Boot(2);
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 2; });
  testing::WriteText(sysroot.DeploymentPath(2) + "/deployment.json", "{");
  EXPECT_TRUE(Reconcile(sysroot.device(), sysroot.ctx()).ok());
  EXPECT_EQ(sysroot.Ledger().default_attempts, 0u);
}

TEST(Reconcile, EndsATrialThatHasNoTriesLeftUnlessItRuns) {
  Device3 sysroot;
  sysroot.StartTrial3(1);
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.trial.tries_left = 0; });
  sysroot.Boot(3, "trial");
  EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled, IsEmpty());
  EXPECT_EQ(sysroot.Ledger().trial.serial, 3u) << "it is in its last try";
  sysroot.Boot(2);
  EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled, SizeIs(1));
  EXPECT_EQ(sysroot.Ledger().trial.serial, bootsel::kNoSerial);
  EXPECT_EQ(sysroot.Ledger().last_failure.cause, bootsel::Cause::kNoTriesLeft);
}

TEST(Reconcile, TakesOverWhatTheDefaultGaveWayTo) {
  Device3 sysroot;
  sysroot.BootAfterTheDefaultGaveWay(1);
  EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled,
              ElementsAre(HasSubstr("deployment 2 did not reach")));
  EXPECT_EQ(sysroot.Ledger().default_deployment, Name(sysroot.Get(1)));
  EXPECT_EQ(sysroot.Ledger().last_failure.serial, 2u);
}

TEST(Reconcile, RemembersTheReleaseOfTheDefaultThatGaveWayUnlessItRunsUnderOtherArguments) {
  for (const bool same : {false, true}) {
    Device3 sysroot;
    Deployment running = testing::SampleDeployment(1);
    if (same) running.manifest_digest = sysroot.Get(2).manifest_digest;
    sysroot.Add(running);
    sysroot.BootAfterTheDefaultGaveWay(1);
    ASSERT_TRUE(Reconcile(sysroot.device(), sysroot.ctx()).ok());
    const bootsel::ManifestDigest release = LedgerManifest(sysroot.Get(2).manifest_digest);
    EXPECT_EQ(sysroot.Ledger().failed.Contains(release), !same);
    EXPECT_EQ(sysroot.Ledger().last_failure.manifest, release);
  }
}

TEST(Reconcile, TakesOverFromADefaultWhoseRecordIsDamaged) {
  Device3 sysroot;
  testing::WriteText(sysroot.DeploymentPath(2) + "/deployment.json", "{");
  sysroot.BootAfterTheDefaultGaveWay(1);
  ASSERT_TRUE(Reconcile(sysroot.device(), sysroot.ctx()).ok());
  EXPECT_EQ(sysroot.Ledger().default_deployment.serial, 1u);
  EXPECT_EQ(sysroot.Ledger().failed.count, 0u);
}

TEST(Reconcile, LeavesWhatAPersonMadeTheDefaultAfterTheOldOneGaveWay) {
  Device3 sysroot;
  sysroot.Add(4);
  sysroot.BootAfterTheDefaultGaveWay(1);
  ASSERT_TRUE(Reconcile(sysroot.device(), sysroot.ctx()).ok());
  ASSERT_EQ(Rollback(sysroot.device(), 4, sysroot.ctx())->serial, 4u);
  const bootsel::Ledger before = sysroot.Ledger();
  EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled, IsEmpty());
  EXPECT_EQ(sysroot.Ledger(), before);
  EXPECT_EQ(before.default_deployment.serial, 4u);
}

void LoseLedger(const TestSysroot& sysroot) {
  testing::WriteText(sysroot.root() + "/hostapp/boot-ledger", std::string(bootsel::kLedgerFileBytes, '\0'));
}

TEST(Reconcile, MakesALostLedgerAgainFromProvenDeploymentsTheRunningOneFirst) {
  for (const DeploymentSerial runs : {0u, 1u, 2u}) {
    Device3 sysroot;
    if (runs != 0) sysroot.Boot(runs, "ledger-lost");
    LoseLedger(sysroot);
    EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled, ElementsAre(HasSubstr("was lost")));
    const bootsel::Ledger ledger = sysroot.Ledger();
    EXPECT_EQ(ledger.default_deployment.serial, runs == 1 ? 1u : 2u);
    EXPECT_EQ(ledger.previous.serial, runs == 1 ? 2u : 1u);
    EXPECT_EQ(ledger.distrusted_up_to, 3u) << "3 may have failed: nobody knows any more";
    EXPECT_THAT(Reconcile(sysroot.device(), sysroot.ctx())->settled, IsEmpty());
  }
}

TEST(Reconcile, DoesNotMakeALedgerOfUnprovenDeployments) {
  TestSysroot sysroot;
  sysroot.Add(1, false);
  LoseLedger(sysroot);
  const Device device = OpenDevice(sysroot.paths(), sysroot.ctx()).value();
  EXPECT_EQ(Reconcile(device, sysroot.ctx()).error().code(), Errc::kCorrupt);
}

TEST(GiveTryBackAtShutdown, GivesTheRunningTrialsTryBackTenTimesAtMost) {
  Device3 sysroot;
  sysroot.StartTrial3(3);
  sysroot.Boot(3, "trial");
  for (int i = 0; i < 12; ++i) {
    sysroot.Edit([](bootsel::Ledger& ledger) { ledger.trial.tries_left = 2; });
    EXPECT_EQ(GiveTryBackAtShutdown(sysroot.device(), sysroot.ctx()).value(), i < 10) << i;
    EXPECT_EQ(sysroot.Ledger().trial.tries_left, i < 10 ? 3 : 2) << i;
  }
}

TEST(GiveTryBackAtShutdown, GivesNothingToATrialThatDoesNotRun) {
  Device3 sysroot;
  sysroot.StartTrial3(1);
  EXPECT_FALSE(GiveTryBackAtShutdown(sysroot.device(), sysroot.ctx()).value());
  sysroot.Boot(2);
  EXPECT_FALSE(GiveTryBackAtShutdown(sysroot.device(), sysroot.ctx()).value());
  EXPECT_EQ(sysroot.Ledger().trial.tries_left, 1);
}

// -- status

DeploymentSerial NextBoot(Device3& sysroot) { return GetStatus(sysroot.device(), sysroot.ctx())->next_boot; }

TEST(Status, SaysWhatBootsNextInEachState) {
  Device3 sysroot;
  EXPECT_EQ(NextBoot(sysroot), 2u);
  sysroot.StartTrial3();
  EXPECT_EQ(NextBoot(sysroot), 3u);
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.trial.tries_left = 0; });
  EXPECT_EQ(NextBoot(sysroot), 2u) << "the trial has no tries left";
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 3; });
  EXPECT_EQ(NextBoot(sysroot), 1u) << "the default gives way";
  EXPECT_EQ(GetStatus(sysroot.device(), sysroot.ctx())->next_reason, bootsel::Reason::kDefaultGaveWay);
}

TEST(Status, SaysThatNothingBootsOnAnEmptySysroot) {
  TestSysroot sysroot;
  const StatusReport report = GetStatus(OpenDevice(sysroot.paths(), sysroot.ctx()).value(), sysroot.ctx()).value();
  EXPECT_EQ(report.next_boot, bootsel::kNoSerial);
  EXPECT_THAT(report.deployments, IsEmpty());
}

TEST(Status, ListsDeploymentsNewestFirstWithTheirStates) {
  Device3 sysroot;
  sysroot.Add(4);
  sysroot.Add(5, false);
  sysroot.StartTrial3();
  sysroot.Edit([&](bootsel::Ledger& ledger) { ledger.failed.Add(LedgerManifest(sysroot.Get(5).manifest_digest)); });
  sysroot.Add(6, false);
  const StatusReport report = GetStatus(sysroot.device(), sysroot.ctx()).value();
  std::vector<std::pair<DeploymentSerial, std::string_view>> states;
  for (const DeploymentStatus& deployment : report.deployments) {
    states.emplace_back(deployment.deployment.serial, StateName(deployment.state));
  }
  EXPECT_THAT(states, ElementsAre(std::pair(6u, "unproven"), std::pair(5u, "failed"), std::pair(4u, "proven"),
                                  std::pair(3u, "trial"), std::pair(2u, "default"), std::pair(1u, "previous")));
}

TEST(Status, SurvivesAListOfContentsThatIsGoneAndWarns) {
  Device3 sysroot;
  std::filesystem::remove(sysroot.DeploymentPath(1) + "/contents");
  const Result<StatusReport> report = GetStatus(sysroot.device(), sysroot.ctx());
  ASSERT_TRUE(report.ok()) << report.error().message();
  EXPECT_THAT(report->deployments, SizeIs(3));
  EXPECT_THAT(report->warnings, ElementsAre(HasSubstr("measuring deployment 1")));
}

TEST(Status, WarnsOfAForeignKernelAndOfALedgerThatCannotBeWritten) {
  Device3 sysroot;
  sysroot.Boot(2, "foreign-kernel", "foreign", "no");
  EXPECT_THAT(GetStatus(sysroot.device(), sysroot.ctx())->warnings,
              ElementsAre(HasSubstr("running kernel"), HasSubstr("could not be written")));
}

}  // namespace
}  // namespace hostapp
