// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/check_result.h"

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

CheckResult::Outcome OutcomeOf(const ProgramResult& program) {
  if (program.end == ProgramResult::End::kTimedOut) return CheckResult::Outcome::kTimedOut;
  const bool passed = program.end == ProgramResult::End::kExited && program.code == 0;
  return passed ? CheckResult::Outcome::kPassed : CheckResult::Outcome::kFailed;
}

std::string DetailOf(const ProgramResult& program, std::chrono::seconds timeout) {
  switch (program.end) {
    case ProgramResult::End::kExited:
      return StrCat("exit status ", program.code);
    case ProgramResult::End::kSignalled:
      return StrCat("killed by signal ", program.code);
    case ProgramResult::End::kTimedOut:
      return StrCat("not done after ", timeout.count(), " seconds");
  }
  return {};
}

}  // namespace

CheckResult FailedCheck(std::string name, bool required, std::string detail) {
  return {.name = std::move(name),
          .required = required,
          .outcome = CheckResult::Outcome::kFailed,
          .detail = std::move(detail),
          .output = {}};
}

CheckResult JudgeProgram(std::string name, bool required, ProgramResult program, std::chrono::seconds timeout) {
  return {.name = std::move(name),
          .required = required,
          .outcome = OutcomeOf(program),
          .detail = DetailOf(program, timeout),
          .output = std::move(program.output)};
}

CheckResult JudgeUnits(ProgramResult program, std::chrono::seconds timeout) {
  const bool none_failed = Trim(program.output).empty();
  CheckResult check = JudgeProgram(kUnitsName, true, std::move(program), timeout);
  if (none_failed) return check;
  check.detail = "units have failed";
  if (check.outcome == CheckResult::Outcome::kPassed) check.outcome = CheckResult::Outcome::kFailed;
  return check;
}

std::string FailureText(const CheckResult& check) {
  return StrCat(check.name, ": ", check.detail, "\n", Trim(check.output));
}

}  // namespace hostapp
