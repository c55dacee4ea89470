// SPDX-License-Identifier: Apache-2.0
// The ledger's decoder, and the choice over whatever it accepts: any bytes give a refusal or a ledger that encodes to
// the same bytes again; no ledger makes the choice break its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "hostapp/base/json.h"
#include "initramfs/bootsel/choose.h"
#include "initramfs/bootsel/crc32c.h"
#include "initramfs/bootsel/transitions.h"
#include "ostree-integration/sysroot/history.h"
#include "tests/fuzz/selected.h"
#include "tools/hostapp/render.h"

namespace {

using namespace hostapp::bootsel;  // NOLINT: the harness speaks of nothing else

using hostapp::fuzz::Require;

// A fuzzer does not guess checksums; every other input gets a right one.
void Repair(std::span<std::byte, kSlotBytes> slot) {
  const uint32_t crc = Crc32c(slot.first<kSlotBytes - kChecksumBytes>());
  for (size_t i = 0; i < kChecksumBytes; i++)
    slot[kSlotBytes - kChecksumBytes + i] = static_cast<std::byte>(crc >> (8 * i));
}

void CheckChoice(const Ledger& ledger, const Asked& asked) {
  std::array<DeploymentFacts, 3> disk{};
  const Serial kSerials[] = {ledger.default_deployment.serial, ledger.previous.serial, ledger.trial.serial};
  for (size_t i = 0; i < disk.size(); i++) {
    disk[i].serial = kSerials[i];
    disk[i].complete = true;
  }
  for (const bool writable : {true, false}) {
    const Facts facts = {.ledger_writable = writable, .attempt_counted = false, .deployments = disk};
    const Choice choice = Choose(&ledger, asked, facts);
    const Ledger after = LedgerAfter(&ledger, asked, facts, choice, 1);
    Require(writable || (!choice.takes_try && choice.action != Action::kRestart));
    Require(!choice.takes_try || after.trial.tries_left + 1 == ledger.trial.tries_left);
    Require(choice.action != Action::kBoot || choice.serial != kNoSerial);
  }
}

void CheckEncoding(const Ledger& ledger) {
  std::array<std::byte, kSlotBytes> once{}, twice{};
  Encode(ledger, once);
  Ledger again;
  Require(Decode(once, again) == SlotState::kValid && again == ledger);
  Encode(again, twice);
  Require(once == twice);
}

// Whatever becomes of it is a ledger again, and what has failed is remembered until it has proved itself.
void CheckTransitions(const Ledger& ledger, std::string_view text) {
  const bool on_trial = ledger.trial.serial != kNoSerial,
             named = ledger.trial.manifest.algorithm != DigestAlgorithm::kNone;
  Ledger failed = ledger;
  GiveTryBack(failed);
  FailTrial(failed, ledger.last_failure.cause, text, {});
  CheckEncoding(failed);
  Require(failed.trial.serial == kNoSerial && (!on_trial || !named || failed.failed.Contains(ledger.trial.manifest)));
  failed.trial = ledger.trial;
  PromoteTrial(failed);
  CheckEncoding(failed);
  Require(!on_trial || !failed.failed.Contains(ledger.trial.manifest));
  Ledger running = ledger;
  ReachUserSpace(running, ledger.previous.serial, {}, Reason::kDefaultGaveWay, {});
  CheckEncoding(running);
  for (int cause = 0; cause <= static_cast<int>(Cause::kMarkedFailed) + 1; cause++)
    Require(!CauseName(static_cast<Cause>(cause)).empty());
}

// What it says can be told, now and in the history.
void Show(const Ledger& ledger) {
  hostapp::StatusReport report;
  report.ledger = ledger;
  Require(hostapp::ParseJson(hostapp::cli::RenderStatus(report).document.Dump(), "status").ok());
  hostapp::History history;
  hostapp::Advance(history, ledger, {});
  Require(hostapp::ParseHistory(hostapp::HistoryJson(history)).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> file(kLedgerFileBytes);
  if (size > 0) memcpy(file.data(), data, size < file.size() ? size : file.size());
  if (size > 0 && data[size - 1] % 2 == 0) {
    Repair(std::span(file).first<kSlotBytes>());
    Repair(std::span(file).subspan<kSlotBytes, kSlotBytes>());
  }
  LedgerFile read;
  ReadLedgerFile(std::span(file).first(size < file.size() ? size : file.size()), read);
  for (const SlotState state : read.slots) Require(!SlotStateName(state).empty());
  if (read.pick.newest < 0) return 0;
  CheckEncoding(read.ledger);
  const Ledger& ledger = read.ledger;
  Show(ledger);
  const NamedDeployment& named_default = ledger.default_deployment;
  CheckChoice(ledger, {});
  CheckChoice(ledger, {.serial = ledger.trial.serial, .boot_set = ledger.trial.boot_set});
  CheckChoice(ledger, {.serial = named_default.serial, .boot_set = ledger.trial.boot_set});
  CheckTransitions(ledger, {reinterpret_cast<const char*>(data), size});
  return 0;
}
