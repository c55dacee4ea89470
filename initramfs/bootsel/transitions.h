// SPDX-License-Identifier: Apache-2.0
// What may happen to a ledger outside of the choice, each as a pure change of the record; the generation is the
// caller's (the writer adds one). The helper and the programs on the running device use the same ones.
#pragma once

#include <optional>
#include <string_view>

#include "initramfs/bootsel/choose.h"

namespace hostapp::bootsel {

inline constexpr uint8_t kMaxTries = 9;
inline constexpr uint8_t kMaxGiveBacks = 10;

// The trial has failed: it becomes the last failure, its manifest joins the failed ones, and there is no trial any
// more. Without a trial nothing changes.
void FailTrial(Ledger& ledger, Cause cause, std::string_view text, std::optional<int64_t> now);

// The trial proved itself: default = trial, previous = the old default, and counting starts anew. Its manifest is
// forgotten among the failed ones. Without a trial nothing changes.
void PromoteTrial(Ledger& ledger);

// A restart asked for during the trial: its try comes back, at most kMaxGiveBacks times. False if nothing changed.
bool GiveTryBack(Ledger& ledger);

// The running system reached user space as `booted`. Clears the default's attempts. If that happened because the
// default gave way (`reason`), the default is over: it becomes the last failure and `booted` takes its place, with the
// old default as previous. Once a boot: without attempts the default is another one since, or what kept it from booting
// (a foreign kernel) is not counted against it. `boot_set` is what deployment.json says of `booted`; used only then.
void ReachUserSpace(Ledger& ledger, Serial booted, const Digest& boot_set, Reason reason, std::optional<int64_t> now);

}  // namespace hostapp::bootsel
