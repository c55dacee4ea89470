// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/choose.h"

#include "initramfs/bootsel/transitions.h"

namespace hostapp::bootsel {
namespace {

const DeploymentFacts* Find(const Facts& facts, Serial serial) {
  if (serial == kNoSerial) return nullptr;
  for (const DeploymentFacts& deployment : facts.deployments) {
    if (deployment.serial == serial) return &deployment;
  }
  return nullptr;
}

bool CanBoot(const DeploymentFacts* deployment) {
  return deployment != nullptr && deployment->complete && !deployment->unbootable;
}

// The newest proven one older than `below`.
const DeploymentFacts* NewestProven(const Facts& facts, Serial below) {
  const DeploymentFacts* newest = nullptr;
  for (const DeploymentFacts& deployment : facts.deployments) {
    if (!CanBoot(&deployment) || !deployment.proven || deployment.serial >= below) continue;
    if (newest == nullptr || deployment.serial > newest->serial) newest = &deployment;
  }
  return newest;
}

NamedDeployment Named(const DeploymentFacts& deployment) {
  NamedDeployment named;
  named.serial = deployment.serial;
  named.boot_set = deployment.boot_set;
  return named;
}

// With both slots lost: the one asked for if it is proven (its kernel is running), otherwise the newest proven one; the
// next newest becomes the previous. Nothing proven: an empty ledger.
Ledger RemadeLedger(const Asked& asked, const Facts& facts) {
  Ledger ledger;
  for (const DeploymentFacts& deployment : facts.deployments) {
    if (deployment.serial > ledger.distrusted_up_to) ledger.distrusted_up_to = deployment.serial;
  }
  const DeploymentFacts* wanted = Find(facts, asked.serial);
  if (!CanBoot(wanted) || !wanted->proven) wanted = NewestProven(facts, ~Serial{0});
  if (wanted == nullptr) return ledger;
  ledger.default_deployment = Named(*wanted);
  const DeploymentFacts* other = NewestProven(facts, ~Serial{0});
  if (other == wanted) other = NewestProven(facts, wanted->serial);
  if (other != nullptr) ledger.previous = Named(*other);
  return ledger;
}

// What stands where the default stands: the default, then the previous, then every other proven one, newest first.
class Candidates {
 public:
  Candidates(const Ledger& ledger, const Facts& facts) : ledger_(ledger), facts_(facts) {}

  // The one after `serial` that can boot (the first for kNoSerial); kNoSerial at the end.
  Serial After(Serial serial) const {
    if (serial == kNoSerial && Bootable(Default())) return Default();
    if ((serial == kNoSerial || serial == Default()) && Previous() != Default() && Bootable(Previous())) {
      return Previous();
    }
    const bool from_the_top = serial == kNoSerial || serial == Default() || serial == Previous();
    const DeploymentFacts* next = NewestProven(facts_, from_the_top ? ~Serial{0} : serial);
    while (next != nullptr && (next->serial == Default() || next->serial == Previous())) {
      next = NewestProven(facts_, next->serial);
    }
    return next == nullptr ? kNoSerial : next->serial;
  }

 private:
  Serial Default() const { return ledger_.default_deployment.serial; }
  Serial Previous() const { return ledger_.previous.serial; }
  bool Bootable(Serial serial) const { return CanBoot(Find(facts_, serial)); }

  const Ledger& ledger_;
  const Facts& facts_;
};

// Every kAttemptsPerCandidate attempts the next candidate has its turn, and after the last the first again.
Serial CandidateForAttempt(const Ledger& ledger, const Facts& facts) {
  const Candidates candidates(ledger, facts);
  uint32_t count = 0;
  for (Serial s = candidates.After(kNoSerial); s != kNoSerial; s = candidates.After(s)) count++;
  if (count == 0) return kNoSerial;
  const uint32_t counted_now = facts.attempt_counted && ledger.default_attempts > 0 ? 1 : 0;
  uint32_t steps = ((ledger.default_attempts - counted_now) / kAttemptsPerCandidate) % count;
  Serial serial = candidates.After(kNoSerial);
  for (; steps > 0; steps--) serial = candidates.After(serial);
  return serial;
}

// The ledger's word on a boot set comes first: it was written before anything of the deployment is opened.
Kernel KernelFor(Serial serial, const Ledger& ledger, const Asked& asked, const Facts& facts) {
  if (!asked.Any()) return Kernel::kOutside;
  for (const NamedDeployment* named : {static_cast<const NamedDeployment*>(&ledger.trial), &ledger.default_deployment,
                                       static_cast<const NamedDeployment*>(&ledger.previous)}) {
    if (named->serial == serial) return named->boot_set == asked.boot_set ? Kernel::kOwn : Kernel::kForeign;
  }
  const DeploymentFacts* deployment = Find(facts, serial);
  const bool known = deployment != nullptr && deployment->has_boot_set;
  return known && deployment->boot_set == asked.boot_set ? Kernel::kOwn : Kernel::kForeign;
}

// A restart gives the loader a chance to start the right kernel. It gets one for each kernel, and never one that could
// not be counted; after that the wrong kernel is better than none.
bool WorthARestart(const Ledger& ledger, const Asked& asked, const Facts& facts) {
  if (!facts.ledger_writable || ledger.foreign_boots >= kMaxForeignRestarts) return false;
  return ledger.foreign_boots == 0 || ledger.foreign_boot_set != asked.boot_set;
}

// Whether a boot that does not reach user space is one more of the default's. Under a kernel that it did not bring it
// is not, or a trial's kernel that can mount nothing would make a sound default give way. Once it has given way, or is
// not there, the count only gives each that stands in for it its turn.
bool SpeaksOfTheDefault(const Ledger& ledger, const Asked& asked, const Facts& facts) {
  const Serial serial = ledger.default_deployment.serial;
  const DeploymentFacts* deployment = Find(facts, serial);
  if (deployment == nullptr || !deployment->complete) return true;
  if (ledger.default_attempts >= kAttemptsPerCandidate) return true;
  return KernelFor(serial, ledger, asked, facts) != Kernel::kForeign;
}

// The default or what stands in for it, filled into `choice`, which says already what became of the trial.
Choice BootDefault(Choice choice, Reason reason, const Ledger& ledger, const Asked& asked, const Facts& facts) {
  choice.serial = CandidateForAttempt(ledger, facts);
  choice.reason = reason;
  if (choice.serial == kNoSerial) {
    choice.action = Action::kNothingBootable;
    choice.remakes_ledger = false;
    return choice;
  }
  if (choice.serial != ledger.default_deployment.serial) choice.reason = Reason::kDefaultGaveWay;
  choice.kernel = KernelFor(choice.serial, ledger, asked, facts);
  const bool restart = choice.kernel == Kernel::kForeign && WorthARestart(ledger, asked, facts);
  choice.action = restart ? Action::kRestart : Action::kBoot;
  choice.counts_attempt = !restart && !facts.attempt_counted && SpeaksOfTheDefault(ledger, asked, facts);
  return choice;
}

// A proven trial is one whose mark-good was cut short: it needs no tries any more.
std::optional<Cause> TrialFailure(const Ledger& ledger, const Facts& facts) {
  if (ledger.trial.serial == kNoSerial) return std::nullopt;
  const DeploymentFacts* deployment = Find(facts, ledger.trial.serial);
  if (deployment == nullptr || !deployment->complete) return Cause::kMount;
  if (ledger.trial.tries_left == 0 && !deployment->proven) return Cause::kNoTriesLeft;
  return std::nullopt;
}

// A deployment that failed its trial, or may have, is not booted again because some entry still asks for it.
bool MayHaveFailed(const DeploymentFacts& deployment, const Ledger& ledger) {
  if (deployment.proven || deployment.serial == ledger.previous.serial) return false;
  return deployment.serial <= ledger.distrusted_up_to || deployment.serial == ledger.last_failure.serial ||
         ledger.failed.Contains(deployment.manifest);
}

Choice BootTrial(Choice choice, const Ledger& ledger, Kernel kernel) {
  choice.action = Action::kBoot;
  choice.serial = ledger.trial.serial;
  choice.reason = Reason::kTrial;
  choice.kernel = kernel;
  choice.takes_try = ledger.trial.tries_left > 0;
  return choice;
}

Choice ChooseAskedFor(Choice choice, const Ledger& ledger, const Asked& asked, const Facts& facts) {
  const DeploymentFacts* wanted = Find(facts, asked.serial);
  const bool allowed = CanBoot(wanted) && !MayHaveFailed(*wanted, ledger);
  if (!allowed) return BootDefault(choice, Reason::kNoSuchDeployment, ledger, asked, facts);
  if (KernelFor(asked.serial, ledger, asked, facts) == Kernel::kForeign) {
    return BootDefault(choice, Reason::kForeignKernel, ledger, asked, facts);
  }
  choice.action = Action::kBoot;
  choice.serial = asked.serial;
  choice.reason = Reason::kAskedFor;
  choice.kernel = Kernel::kOwn;
  return choice;
}

Choice ChooseWith(Choice choice, const Ledger& ledger, const Asked& asked, const Facts& facts) {
  if (!facts.ledger_writable) return BootDefault(choice, Reason::kLedgerNotWritable, ledger, asked, facts);
  choice.trial_failed = TrialFailure(ledger, facts);
  const bool on_trial = ledger.trial.serial != kNoSerial;
  const bool wants_trial = on_trial && (!asked.Any() || asked.serial == ledger.trial.serial);
  if (wants_trial && choice.trial_failed == Cause::kNoTriesLeft) {
    return BootDefault(choice, Reason::kNoTriesLeft, ledger, asked, facts);
  }
  if (wants_trial && (choice.trial_failed || !CanBoot(Find(facts, ledger.trial.serial)))) {
    return BootDefault(choice, Reason::kNoSuchDeployment, ledger, asked, facts);
  }
  if (wants_trial) {
    const Kernel kernel = KernelFor(ledger.trial.serial, ledger, asked, facts);
    if (kernel != Kernel::kForeign) return BootTrial(choice, ledger, kernel);
    return BootDefault(choice, Reason::kForeignKernel, ledger, asked, facts);
  }
  if (!asked.Any() || asked.serial == ledger.default_deployment.serial) {
    return BootDefault(choice, Reason::kDefault, ledger, asked, facts);
  }
  return ChooseAskedFor(choice, ledger, asked, facts);
}

void CountForeign(Ledger& ledger, const Asked& asked, const Choice& choice) {
  if (choice.kernel == Kernel::kForeign) {
    if (ledger.foreign_boots != ~uint32_t{0}) ledger.foreign_boots++;
    ledger.foreign_boot_set = asked.boot_set;
  } else if (choice.action == Action::kBoot) {
    ledger.foreign_boots = 0;
    ledger.foreign_boot_set = {};
  }
}

}  // namespace

std::string_view ReasonName(Reason reason) {
  switch (reason) {
    case Reason::kTrial:
      return "trial";
    case Reason::kAskedFor:
      return "asked-for";
    case Reason::kDefault:
      break;
    case Reason::kNoTriesLeft:
      return "no-tries-left";
    case Reason::kNoSuchDeployment:
      return "no-such-deployment";
    case Reason::kForeignKernel:
      return "foreign-kernel";
    case Reason::kLedgerNotWritable:
      return "ledger-not-writable";
    case Reason::kLedgerLost:
      return "ledger-lost";
    case Reason::kDefaultGaveWay:
      return "default-gave-way";
  }
  return "default";
}

std::string_view KernelName(Kernel kernel) {
  switch (kernel) {
    case Kernel::kOwn:
      return "own";
    case Kernel::kForeign:
      return "foreign";
    case Kernel::kOutside:
      break;
  }
  return "outside";
}

Choice Choose(const Ledger* ledger, const Asked& asked, const Facts& facts) {
  if (ledger != nullptr) return ChooseWith({}, *ledger, asked, facts);
  Choice lost;
  lost.remakes_ledger = facts.ledger_writable;
  Choice choice = ChooseWith(lost, RemadeLedger(asked, facts), asked, facts);
  choice.reason = Reason::kLedgerLost;
  return choice;
}

Ledger LedgerAfter(const Ledger* ledger, const Asked& asked, const Facts& facts, const Choice& choice,
                   std::optional<int64_t> now) {
  const Ledger before = ledger != nullptr ? *ledger : RemadeLedger(asked, facts);
  Ledger after = before;
  if (choice.trial_failed == Cause::kNoTriesLeft) {
    FailTrial(after, Cause::kNoTriesLeft, "was not marked good in the tries it had", now);
  } else if (choice.trial_failed) {
    FailTrial(after, *choice.trial_failed, "its deployment.json is not there", now);
  }
  if (choice.takes_try) after.trial.tries_left--;
  if (choice.counts_attempt && after.default_attempts != ~uint32_t{0}) after.default_attempts++;
  CountForeign(after, asked, choice);
  if (choice.remakes_ledger || after != before) after.generation++;
  return after;
}

}  // namespace hostapp::bootsel
