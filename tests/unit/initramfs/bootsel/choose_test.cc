// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/choose.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <vector>

#include "initramfs/bootsel/transitions.h"
#include "tests/unit/initramfs/bootsel/samples.h"

namespace hostapp::bootsel {

void PrintTo(const Choice& choice, std::ostream* out) {
  *out << "action " << static_cast<int>(choice.action) << " serial " << choice.serial << " reason "
       << ReasonName(choice.reason) << " kernel " << KernelName(choice.kernel) << " try " << choice.takes_try
       << " attempt " << choice.counts_attempt << " remakes " << choice.remakes_ledger << " trial "
       << (choice.trial_failed ? CauseName(*choice.trial_failed) : "-");
}

namespace {

// A device with v1 as previous, v2 as default, v3 proven once, v4 on trial; 5 is complete and was never proven.
constexpr Serial kPrevious = 1, kDefault = 2, kProven = 3, kTrial = 4, kUnproven = 5, kAbsent = 6;

DeploymentFacts On(Serial serial, bool proven) {
  DeploymentFacts facts;
  facts.serial = serial;
  facts.complete = true;
  facts.proven = proven;
  facts.has_boot_set = true;
  facts.boot_set = DigestOf(static_cast<uint8_t>(serial));
  facts.manifest = ManifestOf(static_cast<uint8_t>(serial));
  return facts;
}

struct Device {
  std::vector<DeploymentFacts> deployments = {On(kPrevious, true), On(kDefault, true), On(kProven, true),
                                              On(kTrial, false), On(kUnproven, false)};
  Ledger ledger;
  bool writable = true;
  bool lost = false;

  Device() {
    ledger.default_deployment = Deployment(kDefault);
    ledger.previous = Deployment(kPrevious);
    ledger.trial = TrialOf(kTrial, 2);
  }
  DeploymentFacts& operator[](Serial serial) { return deployments[serial - 1]; }
  Facts facts() const { return {.ledger_writable = writable, .attempt_counted = false, .deployments = deployments}; }
  const Ledger* ledger_or_null() const { return lost ? nullptr : &ledger; }
  Choice Choose(const Asked& asked) const { return bootsel::Choose(ledger_or_null(), asked, facts()); }
  Ledger After(const Asked& asked, const Choice& choice) const {
    return LedgerAfter(ledger_or_null(), asked, facts(), choice, 1000);
  }
};

Asked AskFor(Serial serial) { return {.serial = serial, .boot_set = DigestOf(static_cast<uint8_t>(serial))}; }
Asked AskFor(Serial serial, Serial kernel_of) {
  return {.serial = serial, .boot_set = DigestOf(static_cast<uint8_t>(kernel_of))};
}

Choice Boots(Serial serial, Reason reason, Kernel kernel = Kernel::kOwn) {
  Choice choice;
  choice.action = Action::kBoot;
  choice.serial = serial;
  choice.reason = reason;
  choice.kernel = kernel;
  choice.takes_try = reason == Reason::kTrial;
  choice.counts_attempt = reason != Reason::kTrial && reason != Reason::kAskedFor && kernel != Kernel::kForeign;
  return choice;
}

Choice RestartsFor(Serial serial, Reason reason) {
  Choice choice = Boots(serial, reason, Kernel::kForeign);
  choice.action = Action::kRestart;
  choice.counts_attempt = false;
  return choice;
}

TEST(Choose, TakesATryAndBootsTheTrialThatWasAskedFor) {
  const Device device;
  const Choice choice = device.Choose(AskFor(kTrial));
  EXPECT_EQ(choice, Boots(kTrial, Reason::kTrial));
  const Ledger after = device.After(AskFor(kTrial), choice);
  EXPECT_EQ(after.trial.tries_left, 1);
  EXPECT_EQ(after.generation, device.ledger.generation + 1);
}

TEST(Choose, BootsTheTrialUnderAKernelFromOutside) {
  const Device device;
  EXPECT_EQ(device.Choose({}), Boots(kTrial, Reason::kTrial, Kernel::kOutside));
}

TEST(Choose, BootsTheDefaultUnderAKernelFromOutsideWithoutATrial) {
  Device device;
  device.ledger.trial = {};
  EXPECT_EQ(device.Choose({}), Boots(kDefault, Reason::kDefault, Kernel::kOutside));
}

TEST(Choose, BootsTheDefaultWhenTheTrialHasNoTriesLeft) {
  Device device;
  device.ledger.trial.tries_left = 0;
  Choice want = Boots(kDefault, Reason::kNoTriesLeft, Kernel::kOutside);
  want.trial_failed = Cause::kNoTriesLeft;
  EXPECT_EQ(device.Choose({}), want);
  want = RestartsFor(kDefault, Reason::kNoTriesLeft);
  want.trial_failed = Cause::kNoTriesLeft;
  EXPECT_EQ(device.Choose(AskFor(kTrial)), want);
  const Ledger after = device.After(AskFor(kTrial), want);
  EXPECT_EQ(after.trial, Trial{});
  EXPECT_EQ(after.last_failure.serial, kTrial);
  EXPECT_EQ(after.last_failure.cause, Cause::kNoTriesLeft);
  EXPECT_EQ(after.last_failure.time, 1000);
  EXPECT_TRUE(after.failed.Contains(ManifestOf(kTrial)));
}

TEST(Choose, BootsTheDefaultWhenWhatIsAskedForIsNoTrialAnyMore) {
  Device device;
  FailTrial(device.ledger, Cause::kNoInit, "", {});
  EXPECT_EQ(device.Choose(AskFor(kTrial, kDefault)), Boots(kDefault, Reason::kNoSuchDeployment));
  EXPECT_EQ(device.Choose(AskFor(kAbsent, kDefault)), Boots(kDefault, Reason::kNoSuchDeployment));
}

TEST(Choose, EndsATrialWhoseDeploymentIsGone) {
  Device device;
  device[kTrial].complete = false;
  const Choice choice = device.Choose(AskFor(kTrial, kDefault));
  EXPECT_EQ(choice.serial, kDefault);
  EXPECT_EQ(choice.trial_failed, Cause::kMount);
}

TEST(Choose, BootsAnotherDeploymentThatExistsAndLeavesTheTrialItsTries) {
  const Device device;
  for (const Serial serial : {kPrevious, kProven, kUnproven}) {
    const Choice choice = device.Choose(AskFor(serial));
    EXPECT_EQ(choice, Boots(serial, Reason::kAskedFor));
    EXPECT_EQ(device.After(AskFor(serial), choice), device.ledger) << "nothing to write";
  }
  EXPECT_EQ(device.Choose(AskFor(kDefault)), Boots(kDefault, Reason::kDefault));
  EXPECT_EQ(device.After(AskFor(kDefault), device.Choose(AskFor(kDefault))).trial.tries_left, 2);
}

TEST(Choose, DoesNotBootARememberedFailureBecauseAnEntryStillAsksForIt) {
  Device device;
  device.ledger.failed.Add(ManifestOf(kUnproven));
  EXPECT_EQ(device.Choose(AskFor(kUnproven, kDefault)), Boots(kDefault, Reason::kNoSuchDeployment));
  device[kUnproven].proven = true;
  EXPECT_EQ(device.Choose(AskFor(kUnproven)), Boots(kUnproven, Reason::kAskedFor));
}

TEST(Choose, DoesNotTryWhatItCannotCount) {
  Device device;
  device.writable = false;
  EXPECT_EQ(device.Choose({}), Boots(kDefault, Reason::kLedgerNotWritable, Kernel::kOutside));
  EXPECT_EQ(device.Choose(AskFor(kTrial)), Boots(kDefault, Reason::kLedgerNotWritable, Kernel::kForeign));
  EXPECT_EQ(device.Choose(AskFor(kProven)), Boots(kDefault, Reason::kLedgerNotWritable, Kernel::kForeign));
}

TEST(Choose, RestartsOnceForAForeignKernelAndThenBootsTheDefaultUnderIt) {
  Device device;
  device.ledger.trial = {};
  const Asked foreign = AskFor(kDefault, kTrial);
  const Choice first = device.Choose(foreign);
  EXPECT_EQ(first, RestartsFor(kDefault, Reason::kDefault));
  device.ledger = device.After(foreign, first);
  EXPECT_EQ(device.ledger.foreign_boots, 1U);
  const Choice second = device.Choose(foreign);
  EXPECT_EQ(second, Boots(kDefault, Reason::kDefault, Kernel::kForeign));
  device.ledger = device.After(foreign, second);
  EXPECT_EQ(device.ledger.foreign_boots, 2U);
  EXPECT_EQ(device.ledger.last_failure, Failure{}) << "the kernel's fault is not the deployment's";
  device.ledger = device.After(AskFor(kDefault), device.Choose(AskFor(kDefault)));
  EXPECT_EQ(device.ledger.foreign_boots, 0U);
}

TEST(Choose, StopsRestartingWhenEveryBootBringsAnotherForeignKernel) {
  Device device;
  device.ledger.trial = {};
  Choice choice;
  for (Serial kernel = 20; kernel < 20 + kMaxForeignRestarts; kernel++) {
    choice = device.Choose(AskFor(kDefault, kernel));
    EXPECT_EQ(choice.action, Action::kRestart);
    device.ledger = device.After(AskFor(kDefault, kernel), choice);
  }
  EXPECT_EQ(device.Choose(AskFor(kDefault, 30)), Boots(kDefault, Reason::kDefault, Kernel::kForeign));
}

TEST(Choose, DoesNotTryTheTrialUnderAKernelItDidNotBring) {
  const Device device;
  const Choice choice = device.Choose(AskFor(kTrial, kDefault));
  EXPECT_EQ(choice, Boots(kDefault, Reason::kForeignKernel));
  EXPECT_EQ(device.After(AskFor(kTrial, kDefault), choice).trial.tries_left, 2);
}

TEST(Choose, LetsTheDefaultGiveWayAfterThreeBootsThatDidNotReachUserSpace) {
  Device device;
  device.ledger.trial = {};
  const std::vector<Serial> kWant = {kDefault, kDefault, kDefault, kPrevious, kPrevious, kPrevious,
                                     kProven,  kProven,  kProven,  kDefault,  kDefault};
  for (size_t boot = 0; boot < kWant.size(); boot++) {
    const Choice choice = device.Choose({});
    EXPECT_EQ(choice.serial, kWant[boot]) << "boot " << boot;
    EXPECT_EQ(choice.reason, kWant[boot] == kDefault ? Reason::kDefault : Reason::kDefaultGaveWay) << "boot " << boot;
    device.ledger = device.After({}, choice);
  }
}

TEST(Choose, GoesOnInTheSameBootWhenTheDefaultTurnsOutNotToBeBootable) {
  Device device;
  device.ledger.trial = {};
  device.ledger.default_attempts = 2;
  device.ledger = device.After({}, device.Choose({}));
  device[kDefault].unbootable = true;
  Facts facts = device.facts();
  facts.attempt_counted = true;
  Choice want = Boots(kPrevious, Reason::kDefaultGaveWay, Kernel::kOutside);
  want.counts_attempt = false;
  EXPECT_EQ(Choose(&device.ledger, {}, facts), want);
}

TEST(Choose, FallsBackInTheSameBootWhenTheDefaultHasTheRunningBootSet) {
  Device device;
  device.ledger.trial.boot_set = device.ledger.default_deployment.boot_set;
  device[kTrial].boot_set = device.ledger.trial.boot_set;
  const Asked asked = AskFor(kTrial, kDefault);
  EXPECT_EQ(device.Choose(asked), Boots(kTrial, Reason::kTrial));
  FailTrial(device.ledger, Cause::kNoInit, "", {});
  device[kTrial].unbootable = true;
  EXPECT_EQ(device.Choose(asked), Boots(kDefault, Reason::kNoSuchDeployment));
}

TEST(Choose, BootsProvenDeploymentsOnlyWithBothSlotsLost) {
  Device device;
  device.lost = true;
  Choice want = Boots(kProven, Reason::kLedgerLost, Kernel::kOutside);
  want.remakes_ledger = true;
  EXPECT_EQ(device.Choose({}), want);
  const Ledger after = device.After({}, want);
  EXPECT_EQ(after.default_deployment, Deployment(kProven));
  EXPECT_EQ(after.previous, Deployment(kDefault));
  EXPECT_EQ(after.trial, Trial{});
  EXPECT_EQ(after.generation, 1U);
  EXPECT_EQ(device.Choose(AskFor(kDefault)).serial, kDefault) << "proven, and its kernel is running";
  EXPECT_EQ(device.Choose(AskFor(kTrial)).serial, kProven);
  EXPECT_EQ(device.Choose(AskFor(kTrial)).action, Action::kRestart);
  device.writable = false;
  EXPECT_EQ(device.Choose(AskFor(kTrial)), Boots(kProven, Reason::kLedgerLost, Kernel::kForeign));
}

TEST(Choose, TrustsNothingUnprovenAfterTheLedgerWasMadeAgain) {
  Device device;
  device.lost = true;
  device.ledger = device.After({}, device.Choose({}));
  device.lost = false;
  for (const Serial serial : {kTrial, kUnproven}) {
    EXPECT_EQ(device.Choose(AskFor(serial)).serial, kProven) << serial;
  }
  device.deployments.push_back(On(kAbsent, false));
  EXPECT_EQ(device.Choose(AskFor(kAbsent)), Boots(kAbsent, Reason::kAskedFor)) << "made since";
}

TEST(Choose, BootsATrialWhoseMarkGoodWasCutShortWithoutCountingItOut) {
  Device device;
  device[kTrial].proven = true;
  device.ledger.trial.tries_left = 0;
  Choice want = Boots(kTrial, Reason::kTrial);
  want.takes_try = false;
  EXPECT_EQ(device.Choose(AskFor(kTrial)), want);
}

TEST(Choose, SaysWhenNothingIsBootable) {
  Device device;
  for (DeploymentFacts& deployment : device.deployments) deployment.unbootable = true;
  EXPECT_EQ(device.Choose({}).action, Action::kNothingBootable);
  device.lost = true;
  EXPECT_EQ(device.Choose({}).action, Action::kNothingBootable);
  EXPECT_FALSE(device.Choose({}).remakes_ledger);
}

// The whole state space of four deployments: every ledger, every wish, every state of the disk. The parameter is the
// state of the first deployment, so that it can run in parallel.
class StateSpace : public testing::TestWithParam<int> {
 protected:
  enum DiskState { kGone, kIncomplete, kComplete, kGood, kBroken, kDiskStates };

  template <typename F>
  void ForEachDisk(F visit) {
    for (int code = 0; code < kDiskStates * kDiskStates * kDiskStates * kDiskStates; code++) {
      disk_.clear();
      for (int i = 0, rest = code; i < 4; i++, rest /= kDiskStates)
        AddToDisk(static_cast<Serial>(i + 1), rest % kDiskStates);
      visit();
      if (HasFatalFailure()) return;
    }
  }
  void AddToDisk(Serial serial, int state) {
    if (state == kGone) return;
    DeploymentFacts facts = On(serial, state == kGood || state == kBroken);
    facts.complete = state != kIncomplete;
    facts.unbootable = state == kBroken;
    disk_.push_back(facts);
  }
  static std::vector<Ledger> Ledgers() {
    std::vector<Ledger> ledgers;
    for (const Serial default_serial : {kNoSerial, Serial{2}}) {
      for (const int tries : {-1, 0, 1, 2}) {
        for (const uint32_t attempts : {0U, 3U, 7U}) {
          for (const uint32_t foreign : {0U, 1U, 3U}) {
            Ledger ledger;
            if (default_serial != kNoSerial) ledger.default_deployment = Deployment(default_serial);
            ledger.previous = Deployment(1);
            if (tries >= 0) ledger.trial = TrialOf(4, static_cast<uint8_t>(tries));
            ledger.default_attempts = attempts;
            ledger.foreign_boots = foreign;
            if (foreign > 0) ledger.foreign_boot_set = DigestOf(4);
            ledgers.push_back(ledger);
          }
        }
      }
    }
    return ledgers;
  }
  static std::vector<Asked> Wishes() {
    std::vector<Asked> wishes = {{}};
    for (const Serial serial : {1U, 2U, 3U, 4U, 9U}) {
      for (const Serial kernel_of : {2U, 4U, 8U}) wishes.push_back(AskFor(serial, kernel_of));
      wishes.push_back(AskFor(serial));
    }
    return wishes;
  }
  const DeploymentFacts* OnDisk(Serial serial) const {
    for (const DeploymentFacts& facts : disk_) {
      if (facts.serial == serial) return &facts;
    }
    return nullptr;
  }
  bool CanBoot(Serial serial) const {
    const DeploymentFacts* facts = OnDisk(serial);
    return facts != nullptr && facts->complete && !facts->unbootable;
  }
  bool AnyProven() const {
    for (const DeploymentFacts& facts : disk_) {
      if (CanBoot(facts.serial) && facts.proven) return true;
    }
    return false;
  }
  // Empty if every promise holds.
  std::string Broken(const Ledger* ledger, const Asked& asked, bool writable) const {
    const Facts facts = {.ledger_writable = writable, .attempt_counted = false, .deployments = disk_};
    const Choice choice = Choose(ledger, asked, facts);
    const Ledger after = LedgerAfter(ledger, asked, facts, choice, {});
    const bool is_trial = ledger != nullptr && choice.serial == ledger->trial.serial && choice.serial != kNoSerial;
    const bool proven = OnDisk(choice.serial) != nullptr && OnDisk(choice.serial)->proven;
    const bool something =
        AnyProven() ||
        (ledger != nullptr && (CanBoot(ledger->default_deployment.serial) || CanBoot(ledger->previous.serial)));
    if (choice.action == Action::kBoot && !CanBoot(choice.serial)) return "boots what cannot be booted";
    if (choice.action == Action::kNothingBootable && something) return "finds nothing though there is something";
    if (choice.action == Action::kBoot && ledger == nullptr && !proven) return "ledger lost, yet boots an unproven one";
    if (choice.action == Action::kBoot && is_trial && !proven) {
      if (!writable || !choice.takes_try) return "boots an uncounted trial";
      if (after.trial.tries_left + 1 != ledger->trial.tries_left) return "does not take exactly one try";
      if (asked.Any() && asked != AskFor(choice.serial)) return "boots a trial that was not asked for so";
    }
    if (!is_trial && ledger != nullptr && after.trial.serial != kNoSerial && after.trial != ledger->trial) {
      return "changes the trial without booting it";
    }
    if (choice.action == Action::kRestart && choice.kernel != Kernel::kForeign) return "restarts for the right kernel";
    if (choice.action == Action::kRestart && (!writable || after.foreign_boots == 0)) return "restarts uncounted";
    if (choice.kernel == Kernel::kOwn && !(OnDisk(choice.serial)->boot_set == asked.boot_set))
      return "calls a foreign kernel own";
    if (choice.counts_attempt && choice.kernel == Kernel::kForeign && CanBoot(2) && ledger != nullptr &&
        ledger->default_deployment.serial == 2 && ledger->default_attempts < kAttemptsPerCandidate) {
      return "counts a foreign kernel's boot against the default";
    }
    if (choice.trial_failed && after.last_failure.serial != 4) return "ends a trial without recording it";
    if (!writable && (choice.takes_try || choice.trial_failed || choice.remakes_ledger))
      return "decides what it cannot write";
    if (ledger != nullptr && (after.generation == ledger->generation) != (after == *ledger)) return "wrong generation";
    return "";
  }

  std::vector<DeploymentFacts> disk_;
};

TEST_P(StateSpace, KeepsEveryPromiseInEveryState) {
  const std::vector<Ledger> ledgers = Ledgers();
  const std::vector<Asked> wishes = Wishes();
  size_t states = 0;
  ForEachDisk([&] {
    for (const Asked& asked : wishes) {
      for (const bool writable : {true, false}) {
        ASSERT_EQ(Broken(nullptr, asked, writable), "") << "both slots lost, asked for " << asked.serial;
        for (const Ledger& ledger : ledgers) {
          states++;
          const std::string broken = Broken(&ledger, asked, writable);
          ASSERT_EQ(broken, "") << "asked for " << asked.serial << " with kernel " << int{asked.boot_set.bytes[0]}
                                << ", default " << ledger.default_deployment.serial << ", trial " << ledger.trial.serial
                                << " tries " << int{ledger.trial.tries_left} << ", attempts " << ledger.default_attempts
                                << ", foreign " << ledger.foreign_boots << ", writable " << writable;
        }
      }
    }
  });
  EXPECT_GT(states, 300'000U);
}

INSTANTIATE_TEST_SUITE_P(FirstDeployment, StateSpace, testing::Range(0, 5));

// Boots again and again, the way a loader would: `ask` says what the entry passes. Nothing ever reaches user space.
template <typename Ask>
std::vector<Choice> BootRepeatedly(Device device, int boots, Ask ask) {
  std::vector<Choice> choices;
  for (int i = 0; i < boots; i++) {
    const Asked asked = ask(device.ledger);
    choices.push_back(device.Choose(asked));
    device.ledger = device.After(asked, choices.back());
  }
  return choices;
}

size_t FirstBootOf(const std::vector<Choice>& choices, Serial serial) {
  for (size_t i = 0; i < choices.size(); i++) {
    if (choices[i].action == Action::kBoot && choices[i].serial == serial) return i;
  }
  return choices.size();
}

TEST(RepeatedBoots, ReachTheDefaultAfterTheTriesWhoeverChoosesTheKernel) {
  for (uint8_t tries = 1; tries <= kMaxTries; tries++) {
    Device device;
    device.ledger.trial.tries_left = tries;
    const auto outside = BootRepeatedly(device, 30, [](const Ledger&) { return Asked{}; });
    EXPECT_EQ(FirstBootOf(outside, kDefault), tries) << "kernel from outside";
    const auto follows = BootRepeatedly(
        device, 30, [](const Ledger& ledger) { return AskFor(ledger.trial.tries_left > 0 ? kTrial : kDefault); });
    EXPECT_EQ(FirstBootOf(follows, kDefault), tries) << "a loader that counts";
    const auto stuck = BootRepeatedly(device, 30, [](const Ledger&) { return AskFor(kTrial); });
    EXPECT_EQ(FirstBootOf(stuck, kDefault), tries + 1U)
        << "a loader that asks for the trial for ever: one restart more";
  }
}

TEST(RepeatedBoots, NeverBootTheTrialMoreOftenThanItHasTries) {
  Device device;
  const auto stuck = BootRepeatedly(device, 100, [](const Ledger&) { return AskFor(kTrial); });
  int trials = 0;
  for (const Choice& choice : stuck) trials += choice.serial == kTrial ? 1 : 0;
  EXPECT_EQ(trials, 2);
}

// One boot of a kernel that can mount none of `unmountable`, round after round, as the helper does it. Returns what was
// mounted in the end; kNoSerial: the machine restarted.
Serial BootAsTheHelper(Device& device, const Asked& asked, const std::vector<Serial>& unmountable) {
  for (DeploymentFacts& facts : device.deployments) facts.unbootable = false;
  bool counted = false;
  for (;;) {
    Facts facts = device.facts();
    facts.attempt_counted = counted;
    const Choice choice = Choose(&device.ledger, asked, facts);
    device.ledger = LedgerAfter(&device.ledger, asked, facts, choice, {});
    counted = counted || choice.counts_attempt;
    if (choice.action != Action::kBoot) return kNoSerial;
    if (std::find(unmountable.begin(), unmountable.end(), choice.serial) == unmountable.end()) return choice.serial;
    if (choice.serial == device.ledger.trial.serial) FailTrial(device.ledger, Cause::kMount, "", {});
    device[choice.serial].unbootable = true;
  }
}

const std::vector<Serial> kAll = {kPrevious, kDefault, kProven, kTrial, kUnproven};

TEST(RepeatedBoots, OfATrialsKernelThatMountsNothingAreNotTheDefaultsFailure) {
  for (uint8_t tries = 1; tries <= kMaxTries; tries++) {
    Device device;
    device.ledger.trial.tries_left = tries;
    // The loader, which nobody tells that the trial has failed, uses up its own count.
    for (int boot = 0; boot < tries; boot++) BootAsTheHelper(device, AskFor(kTrial), kAll);
    EXPECT_EQ(device.ledger.default_attempts, 0U) << "tries " << int{tries};
    EXPECT_EQ(device.ledger.last_failure.serial, kTrial);
    EXPECT_EQ(BootAsTheHelper(device, AskFor(kDefault), {}), kDefault) << "tries " << int{tries};
  }
}

TEST(RepeatedBoots, OfADefaultThatItsOwnKernelCannotMountMakeItGiveWay) {
  for (const bool gone : {false, true}) {
    Device device;
    device.ledger.trial = {};
    device[kDefault].complete = !gone;
    Serial mounted = kNoSerial;
    int boots = 0;
    for (; mounted == kNoSerial && boots < 20; boots++) mounted = BootAsTheHelper(device, AskFor(kDefault), {kDefault});
    EXPECT_EQ(mounted, kPrevious) << "under the default's kernel, which is better than none";
    EXPECT_EQ(boots, gone ? 2 : 4);
    EXPECT_GT(device.ledger.default_attempts, 0U);
    // Nor is what stands in for it tried for ever: it comes no further under that kernel.
    std::vector<Serial> stand_ins;
    for (int boot = 0; boot < 9; boot++) stand_ins.push_back(BootAsTheHelper(device, AskFor(kDefault), {kDefault}));
    EXPECT_NE(std::find(stand_ins.begin(), stand_ins.end(), kProven), stand_ins.end());
  }
}

}  // namespace
}  // namespace hostapp::bootsel
