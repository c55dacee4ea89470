// SPDX-License-Identifier: Apache-2.0
// The ledger's decoder, and the choice over whatever it accepts: any bytes give a refusal or a ledger that encodes to
// the same bytes again; no ledger makes the choice break its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "initramfs/bootsel/choose.h"
#include "initramfs/bootsel/crc32c.h"
#include "initramfs/bootsel/transitions.h"

namespace {

using namespace hostapp::bootsel;  // NOLINT: the harness speaks of nothing else

void Require(bool holds) {
  if (!holds) abort();
}

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
  if (read.pick.newest < 0) return 0;
  std::array<std::byte, kSlotBytes> once{};
  std::array<std::byte, kSlotBytes> twice{};
  Encode(read.ledger, once);
  Ledger again;
  Require(Decode(once, again) == SlotState::kValid && again == read.ledger);
  Encode(again, twice);
  Require(once == twice);
  const Ledger& ledger = read.ledger;
  const NamedDeployment& named_default = ledger.default_deployment;
  CheckChoice(ledger, {});
  CheckChoice(ledger, {.serial = ledger.trial.serial, .boot_set = ledger.trial.boot_set});
  CheckChoice(ledger, {.serial = named_default.serial, .boot_set = ledger.trial.boot_set});
  Ledger changed = ledger;
  GiveTryBack(changed);
  FailTrial(changed, Cause::kUnknown, ledger.last_failure.Text(), {});
  ReachUserSpace(changed, ledger.previous.serial, {}, Reason::kDefaultGaveWay, {});
  return 0;
}
