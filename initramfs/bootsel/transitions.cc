// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/transitions.h"

namespace hostapp::bootsel {
namespace {

void RestartCounts(Ledger& ledger) {
  ledger.default_attempts = 0;
  ledger.foreign_boots = 0;
  ledger.foreign_boot_set = {};
}

}  // namespace

void FailTrial(Ledger& ledger, Cause cause, std::string_view text, std::optional<int64_t> now) {
  if (ledger.trial.serial == kNoSerial) return;
  Failure failure;
  failure.serial = ledger.trial.serial;
  failure.manifest = ledger.trial.manifest;
  failure.cause = cause;
  failure.time = now;
  failure.SetText(text);
  ledger.last_failure = failure;
  ledger.failed.Add(failure.manifest);
  ledger.trial = {};
}

void PromoteTrial(Ledger& ledger) {
  if (ledger.trial.serial == kNoSerial) return;
  ledger.failed.Remove(ledger.trial.manifest);
  ledger.previous = ledger.default_deployment;
  ledger.default_deployment = ledger.trial;
  ledger.trial = {};
  RestartCounts(ledger);
}

bool GiveTryBack(Ledger& ledger) {
  Trial& trial = ledger.trial;
  if (trial.serial == kNoSerial || trial.give_backs_used >= kMaxGiveBacks || trial.tries_left >= kMaxTries)
    return false;
  trial.give_backs_used++;
  trial.tries_left++;
  return true;
}

void ReachUserSpace(Ledger& ledger, Serial booted, const Digest& boot_set, Reason reason, std::optional<int64_t> now) {
  const bool counted = ledger.default_attempts != 0;
  ledger.default_attempts = 0;
  if (reason != Reason::kDefaultGaveWay || !counted || booted == ledger.default_deployment.serial) return;
  Failure failure;
  failure.serial = ledger.default_deployment.serial;
  failure.time = now;
  failure.SetText("the default did not reach user space, or could not be booted, and gave way");
  ledger.last_failure = failure;
  NamedDeployment running;
  running.serial = booted;
  running.boot_set = boot_set;
  if (ledger.previous.serial == booted) running = ledger.previous;
  ledger.previous = ledger.default_deployment;
  ledger.default_deployment = running;
}

}  // namespace hostapp::bootsel
