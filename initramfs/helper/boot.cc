// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/boot.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "initramfs/bootsel/cmdline.h"
#include "initramfs/bootsel/transitions.h"
#include "initramfs/helper/factory_reset.h"
#include "initramfs/helper/facts.h"
#include "initramfs/helper/report.h"
#include "initramfs/helper/tree_check.h"

namespace hostapp::initramfs {
namespace {

using bootsel::Action;
using bootsel::Cause;
using bootsel::Choice;
using bootsel::Kernel;
using bootsel::Ledger;
using bootsel::Serial;

// A device without a battery starts its clock in 1970, of which firmware that keeps two digits of the year makes 2070;
// a time before this program was built, or forty years after, is none.
std::optional<int64_t> Now() {
  constexpr int64_t kLongest = int64_t{40} * 365 * 24 * 3600;
  struct timespec now = {};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return std::nullopt;
  if (now.tv_sec < HOSTAPP_BUILD_EPOCH || now.tv_sec > HOSTAPP_BUILD_EPOCH + kLongest) return std::nullopt;
  return now.tv_sec;
}

class Boot {
 public:
  Boot(const BootSettings& settings, Console& console)
      : settings_(settings),
        console_(console),
        root_(OpenDirectory(AT_FDCWD, settings.physical)),
        store_(root_.get()),
        asked_(bootsel::ParseAsked(settings.cmdline)) {}

  Outcome Run();

 private:
  // More rounds than there are candidates: every round either ends the boot, loses a candidate, or gives up writing.
  static constexpr int kMaxRounds = 80;

  bool Count(const Choice& choice);
  bool Compose(const Choice& choice);
  bool ComposeTree(const Choice& choice, Cause& cause);
  bool ComposeOn(const Trees& trees, const Choice& choice, Cause& cause);
  void ResetIfAsked(const MountPlan& plan);
  void Record(const Choice& choice, Cause cause);
  void StoreOrGiveUp(const Ledger& next);
  void SayWhatIsKnown();
  void SayChoice(const Choice& choice);
  bool OnTrial(Serial serial) const { return ledger() != nullptr && ledger()->trial.serial == serial; }
  const Ledger* ledger() const { return store_.ledger(); }

  const BootSettings& settings_;
  Console& console_;
  Fd root_;
  LedgerStore store_;
  bootsel::Asked asked_;
  FactsTable table_;
  Composition made_;
  Problem why_;
  bool remade_ = false;
};

Outcome Boot::Run() {
  if (!root_.ok()) {
    console_.Complain("opening the physical root at ", settings_.physical, ": cannot go on");
    return Outcome::kNothing;
  }
  store_.Load();
  SayWhatIsKnown();
  table_.Gather(root_.get(), ledger(), asked_);
  for (int round = 0; round < kMaxRounds; round++) {
    const Choice choice = bootsel::Choose(ledger(), asked_, table_.facts());
    if (!Count(choice)) continue;
    SayChoice(choice);
    if (choice.action == Action::kNothingBootable) return Outcome::kNothing;
    if (choice.action == Action::kRestart) return Outcome::kRestart;
    if (Compose(choice)) return Outcome::kComposed;
    table_.MarkUnbootable(choice.serial);
    table_.Gather(root_.get(), ledger(), asked_);
  }
  console_.Complain("no decision after ", kMaxRounds, " rounds");
  return Outcome::kNothing;
}

// The try is taken here, durably, before anything of the trial is opened. False: choose again, knowing that nothing can
// be counted.
bool Boot::Count(const Choice& choice) {
  if (!table_.ledger_writable) return true;
  const Ledger next = bootsel::LedgerAfter(ledger(), asked_, table_.facts(), choice, Now());
  const uint64_t generation = ledger() == nullptr ? 0 : ledger()->generation;
  if (next.generation == generation) return true;
  StoreOrGiveUp(next);
  if (!table_.ledger_writable) return false;
  remade_ = remade_ || choice.remakes_ledger;
  table_.attempt_counted = table_.attempt_counted || choice.counts_attempt;
  return true;
}

void Boot::StoreOrGiveUp(const Ledger& next) {
  if (store_.Store(next, why_)) return;
  console_.Complain(why_.text(), ": nothing can be counted, so no trial is tried");
  table_.ledger_writable = false;
}

bool Boot::Compose(const Choice& choice) {
  Cause cause = Cause::kMount;
  const bool trial = OnTrial(choice.serial);
  if (!ComposeTree(choice, cause)) {
    console_.Complain("deployment ", choice.serial, " cannot be booted: ", bootsel::CauseName(cause), ": ",
                      why_.text());
    Record(choice, cause);
    return false;
  }
  const Report report = {.choice = choice,
                         .asked = asked_,
                         .trial = trial,
                         .ledger_writable = table_.ledger_writable,
                         .ledger_remade = remade_,
                         .composefs = made_.tree.composefs,
                         .etc = made_.etc.form};
  if (!WriteReport(report, why_)) console_.Complain(why_.text());
  if (made_.etc.copied) console_.Say("copied ", made_.etc.stats.entries, " changes to /etc");
  if (made_.filled.entries > 0) {
    console_.Say("filled /var from the image: ", made_.filled.entries, " entries, ", made_.filled.skipped, " skipped");
  }
  return true;
}

bool Boot::ComposeTree(const Choice& choice, Cause& cause) {
  made_ = Composition{};
  const Trees trees(settings_.physical, root_.get(), ledger());
  if (!trees.Mount(choice.serial, made_.tree, cause, why_)) return false;
  if (ComposeOn(trees, choice, cause)) return true;
  made_.tree.root.Close();
  Unmount();
  return false;
}

bool Boot::ComposeOn(const Trees& trees, const Choice& choice, Cause& cause) {
  const int tree = made_.tree.root.get();
  cause = Cause::kNoInit;
  if (!CheckInit(tree, settings_.init, why_)) return false;
  cause = Cause::kNoModules;
  if (choice.kernel == Kernel::kOwn && !CheckModules(tree, why_)) return false;
  cause = Cause::kMount;
  MountPlan plan;
  if (!MakePlan(choice.serial, LookAtTree(tree), plan, why_)) return false;
  ResetIfAsked(plan);
  return RunPlan(plan, trees, EtcSource(ledger(), choice.serial), made_, why_);
}

// Not for a trial: it runs on the /etc and /var that its release has to prove itself with, and may be given up. Nor
// where the request could not be cleared. No error here keeps the device from booting.
void Boot::ResetIfAsked(const MountPlan& plan) {
  if (!table_.ledger_writable || OnTrial(plan.serial)) return;
  if (!ResetWaits(ledger())) {
    if (!SweepReset(root_.get(), store_, why_)) console_.Complain(why_.text());
    return;
  }
  ResetReport report;
  if (!FactoryReset(root_.get(), made_.tree.root.get(), plan, store_, report, why_)) {
    console_.Complain("factory reset: ", why_.text(), ": it goes on at the next boot");
    return;
  }
  console_.Say("factory reset of /var and of the changes to /etc of deployment ", plan.serial, ": ", report.kept,
               " paths kept, ", report.filled.entries, " entries from the image",
               report.removed ? "" : "; gc removes the rest of the old trees");
}

// Only a trial's failures are recorded, and a mount that did not work under a kernel the deployment did not bring may
// be that kernel's fault. What is wrong on the disk is nobody else's.
void Boot::Record(const Choice& choice, Cause cause) {
  if (!OnTrial(choice.serial) || !table_.ledger_writable) return;
  if (choice.kernel != Kernel::kOwn && cause != Cause::kNoInit && cause != Cause::kDigest) return;
  Ledger next = *ledger();
  bootsel::FailTrial(next, cause, why_.text(), Now());
  next.generation++;
  StoreOrGiveUp(next);
}

void Boot::SayWhatIsKnown() {
  const auto& slots = store_.file().slots;
  if (ledger() == nullptr) {
    console_.Complain("both slots of the boot ledger are lost (", bootsel::SlotStateName(slots[0]), ", ",
                      bootsel::SlotStateName(slots[1]), "): only proven deployments boot");
    return;
  }
  for (size_t i = 0; i < slots.size(); i++) {
    if (slots[i] == bootsel::SlotState::kValid) continue;
    console_.Complain("slot ", i, " of the boot ledger is ", bootsel::SlotStateName(slots[i]), ": using the other");
  }
}

void Boot::SayChoice(const Choice& choice) {
  if (choice.action == Action::kNothingBootable) {
    console_.Complain("nothing bootable: no default, previous or proven deployment can be used");
    return;
  }
  const std::string_view verb = choice.action == Action::kRestart ? "restarting for" : "booting";
  Text<128> known("no ledger");
  if (ledger() != nullptr) {
    known.Clear();
    known.Append("default ").Append(ledger()->default_deployment.serial);
    known.Append(", previous ").Append(ledger()->previous.serial);
    known.Append(", trial ").Append(ledger()->trial.serial).Append(" tries left ").Append(ledger()->trial.tries_left);
    known.Append(", attempt ").Append(ledger()->default_attempts);
  }
  console_.Say(verb, " deployment ", choice.serial, " (", bootsel::ReasonName(choice.reason), ", kernel ",
               bootsel::KernelName(choice.kernel), "): asked for ", asked_.serial, "; ", known,
               table_.ledger_writable ? "" : "; ledger not writable");
  if (choice.kernel == Kernel::kForeign && choice.action == Action::kBoot) {
    console_.Complain("deployment ", choice.serial, " runs under a kernel that it did not bring");
  }
}

}  // namespace

Outcome ComposeBoot(const BootSettings& settings, Console& console) {
  Boot boot(settings, console);
  return boot.Run();
}

}  // namespace hostapp::initramfs
