// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>

#include "hostapp/base/strings.h"
#include "tools/hostapp/render.h"

namespace hostapp::cli {
namespace {

std::string_view OutcomeName(CheckResult::Outcome outcome) {
  switch (outcome) {
    case CheckResult::Outcome::kPassed:
      return "passed";
    case CheckResult::Outcome::kFailed:
      return "failed";
    case CheckResult::Outcome::kTimedOut:
      return "timed-out";
  }
  return "failed";
}

Json CheckDocument(const CheckResult& check) {
  return Json::Object{
      {"name", check.name},     {"required", check.required}, {"outcome", OutcomeName(check.outcome)},
      {"detail", check.detail}, {"output", check.output},     {"seconds", std::round(check.seconds * 1000) / 1000}};
}

std::string CheckText(const CheckResult& check) {
  char seconds[32];
  std::snprintf(seconds, sizeof seconds, "%.1f s", check.seconds);
  std::string text = StrCat(OutcomeName(check.outcome), check.required ? "  " : "  (wanted)  ", Escape(check.name),
                            "  ", seconds, "\n");
  if (check.outcome == CheckResult::Outcome::kPassed) return text;
  if (!check.detail.empty()) text += StrCat("    ", Escape(check.detail), "\n");
  if (Trim(check.output).empty()) return text;
  for (const std::string_view line : Split(Trim(check.output), '\n')) text += StrCat("    | ", Escape(line), "\n");
  return text;
}

}  // namespace

Outcome RenderHealth(const HealthReport& report) {
  Json::Array checks;
  std::string text;
  for (const CheckResult& check : report.checks) {
    checks.push_back(CheckDocument(check));
    text += CheckText(check);
  }
  text += report.healthy() ? "healthy\n" : StrCat("not healthy: ", Escape(report.first_failed()->name), "\n");
  return {.document = Json::Object{{"healthy", report.healthy()}, {"checks", std::move(checks)}},
          .text = std::move(text),
          .kind = Outcome::Kind::kAnswer,
          .exit_status = report.healthy() ? 0 : ExitCode(Errc::kIo)};
}

Outcome RenderProof(const ProofReport& report) {
  using Verdict = ProofReport::Verdict;
  Outcome outcome = RenderHealth(report.health);
  const std::string_view verdict = report.verdict == Verdict::kGood     ? "good"
                                   : report.verdict == Verdict::kFailed ? "failed"
                                                                        : "reported";
  (*outcome.document.AsObject())["serial"] = report.serial;
  (*outcome.document.AsObject())["verdict"] = verdict;
  if (report.verdict == Verdict::kGood) {
    outcome.text += StrCat("deployment ", report.serial, " has proved itself and is the default\n");
  } else if (report.verdict == Verdict::kFailed) {
    outcome.text += StrCat("deployment ", report.serial, " has failed its trial; restarting into the default\n");
  }
  return outcome;
}

}  // namespace hostapp::cli
