// SPDX-License-Identifier: Apache-2.0
// What health checks and their settings say: a check passes by its exit status alone, its output reaches people,
// programs and the boot ledger bounded and harmless.
#include <string>

#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"
#include "hostapp/boot/health.h"
#include "hostapp/boot/health_options.h"
#include "initramfs/bootsel/transitions.h"
#include "ostree-integration/sysroot/history.h"
#include "tests/fuzz/selected.h"
#include "tools/hostapp/render.h"

namespace hostapp {
namespace {

using fuzz::Require;
using Outcome = CheckResult::Outcome;

constexpr std::chrono::seconds kTimeout{300};

bool IsHarmless(std::string_view text) {
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f) return false;
  }
  return IsValidUtf8(text);
}

// As MarkFailed() does it, and then what everybody is shown of it.
void CheckFailure(const CheckResult& check) {
  bootsel::Ledger ledger;
  ledger.generation = 5;
  ledger.default_deployment.serial = 7;
  ledger.trial.serial = 8;
  const std::string text = FailureText(check);
  bootsel::FailTrial(ledger, bootsel::Cause::kCheckFailed, text, {});
  Require(ledger.last_failure.Text().size() <= bootsel::kFailureTextBytes);
  Require(text.ends_with(ledger.last_failure.Text()));
  if (IsValidUtf8(text)) Require(IsValidUtf8(ledger.last_failure.Text()));
  std::array<std::byte, bootsel::kSlotBytes> slot{};
  bootsel::Encode(ledger, slot);
  bootsel::Ledger again;
  Require(bootsel::Decode(slot, again) == bootsel::SlotState::kValid && again == ledger);
  History history;
  Require(Advance(history, ledger, {}) && ParseHistory(HistoryJson(history)).ok());
}

void CheckReport(CheckResult check) {
  HealthReport report;
  report.checks.push_back(std::move(check));
  const cli::Outcome outcome = cli::RenderHealth(report);
  Require((outcome.exit_status == 0) == report.healthy() && IsHarmless(outcome.text));
  const std::string document = outcome.document.Dump();
  const auto again = ParseJson(document, "document", {.max_bytes = size_t{64} << 20});
  Require(again.ok() && IsValidUtf8(document));
}

// The first byte: how it ended.
void CheckOutput(std::string_view text) {
  const unsigned char how = text.empty() ? 0 : static_cast<unsigned char>(text[0]);
  using End = ProgramResult::End;
  ProgramResult program{.end = how % 3 == 0   ? End::kExited
                               : how % 3 == 1 ? End::kSignalled
                                              : End::kTimedOut,
                        .code = how / 3 % 4,
                        .output = std::string(text.substr(text.empty() ? 0 : 1))};
  const CheckResult check = JudgeProgram("/usr/lib/hostapp/health.d/required/x", true, program, kTimeout);
  Require((check.outcome == Outcome::kPassed) == program.Succeeded() && check.output == program.output);
  const CheckResult units = JudgeUnits(program, kTimeout);
  // A unit in the list is a failed one, and what systemctl itself says then is not believed.
  Require((units.outcome == Outcome::kPassed) == (program.Succeeded() && Trim(program.output).empty()));
  for (const CheckResult& one : {check, units, FailedCheck(program.output, false, program.output)}) {
    if (one.outcome != Outcome::kPassed) CheckFailure(one);
    CheckReport(one);
  }
}

void CheckOptions(std::string_view text) {
  HealthOptions options;
  const Status parsed = ParseHealthOptions(text, "health.toml", options);
  const HealthOptions before;
  if (!parsed.ok()) Require(parsed.error().code() == Errc::kCorrupt);
  if (!parsed.ok()) Require(options.timeout == before.timeout && options.stability == before.stability);
  Require(options.timeout.count() >= 1 && options.timeout.count() <= 86400);
  Require(options.stability.count() >= 0 && options.stability.count() <= 86400);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckOutput, CheckOptions};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
