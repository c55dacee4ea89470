// SPDX-License-Identifier: Apache-2.0
// The last transitions of what boots, for people: hostapp/history.json. Nothing that boots depends on it.
//
// It is derived: each record is the difference between the ledger as it was when the last record was made and the
// ledger now. So what the helper decided before user space was there is in it too, and a power cut between a change and
// its record loses nothing: the next writer adds it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ostree-integration/sysroot/deployment.h"
#include "ostree-integration/sysroot/ledger_file.h"

namespace hostapp {

inline constexpr const char* kHistoryName = "history.json";  // in hostapp/
inline constexpr size_t kMaxTransitions = 20;

struct Transition {
  enum class Event { kOnTrial, kGood, kFailed, kDefault };
  Event event = Event::kOnTrial;
  DeploymentSerial serial = 0;
  std::string cause;  // kFailed: as `status` has it
  std::string text;   // kFailed: the last words
  std::optional<int64_t> time;
  bool operator==(const Transition&) const = default;
};
// "on-trial"; "good", proved itself and became the default; "failed"; "default", became it in any other way.
std::string_view EventName(Transition::Event event);

struct History {
  std::vector<Transition> transitions;  // oldest first
  // The ledger that the last record belongs to.
  DeploymentSerial default_serial = 0;
  DeploymentSerial trial = 0;
  std::string failure;  // identifies the last failure
  bool operator==(const History&) const = default;
};

// Adds what has happened up to `ledger`. False when nothing has. Pure.
bool Advance(History& history, const bootsel::Ledger& ledger, std::optional<int64_t> now);

std::string HistoryJson(const History& history);
Result<History> ParseHistory(std::string_view json);  // kCorrupt

// Empty when there is none yet. kCorrupt, kIo.
Result<History> ReadHistory(const Sysroot& sysroot);

// Brings the file up to the ledger; writes only if something has happened. One that cannot be read begins anew.
// Durable.
Status RecordHistory(const LedgerLock& lock, const Sysroot& sysroot, OpContext& ctx);

}  // namespace hostapp
