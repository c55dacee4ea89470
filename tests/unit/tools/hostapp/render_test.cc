// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp/render.h"

#include <gtest/gtest.h>

#include "initramfs/bootsel/reset_request.h"

namespace hostapp::cli {
namespace {

Deployment MakeDeployment(DeploymentSerial serial, const std::string& version) {
  return {.serial = serial,
          .reference = "docker://registry.example/os:stable",
          .manifest_digest = Digest::Of(AsBytes(version)),
          .commit = std::string(64, 'c'),
          .version = version,
          .kernel_arguments = {},
          .boot_set = HashOf(AsBytes("boot")),
          .kernel_version = "6.1.0",
          .created = 1795305600,
          .good = true};
}

StatusReport TrialWithAFailureBehindIt() {
  StatusReport report;
  report.ledger.default_deployment.serial = 4;
  report.ledger.previous.serial = 3;
  report.ledger.trial.serial = 5;
  report.ledger.trial.tries_left = 2;
  report.ledger.last_failure.serial = 2;
  report.ledger.last_failure.cause = bootsel::Cause::kCheckFailed;
  report.ledger.last_failure.time = 1795305600;
  report.ledger.last_failure.SetText("check: \x1b[31mred\nsecond line");
  report.next_boot = 5;
  report.ledger.pending_action = bootsel::kFactoryReset;
  report.next_reason = bootsel::Reason::kTrial;
  report.deployments.push_back({MakeDeployment(5, "2.0"), State::kTrial, {.total = 2048, .unique = 1024}});
  report.deployments.push_back({MakeDeployment(4, "1.0"), State::kDefault, {.total = 1024, .unique = 0}});
  return report;
}

TEST(RenderStatus, HasEveryKeyAndNullForWhatThereIsNot) {
  EXPECT_EQ(
      RenderStatus({}).document.Dump(),
      R"({"booted":null,"default":null,"deployments":[],"last_failure":null,"mounted":null,"next_boot":null,"pending":null,"previous":null,)"
      R"("trial":null,"warnings":[]})");
}

TEST(RenderStatus, WritesTheDocumentedDocument) {
  const std::string boot_set = HashOf(AsBytes("boot")).Hex();
  const auto deployment = [&](int serial, const std::string& version, const std::string& state, int total, int unique) {
    return StrCat(R"({"boot_set":")", boot_set, R"(","bytes":{"total":)", total, R"(,"unique":)", unique,
                  R"(},"commit":")", std::string(64, 'c'), R"(","created":"2026-11-22T00:00:00Z","manifest_digest":")",
                  Digest::Of(AsBytes(version)).ToString(),
                  R"(","pinned":false,"reference":"docker://registry.example/os:stable","root":"checkout","serial":)",
                  serial, R"(,"state":")", state, R"(","version":")", version, R"("})");
  };
  EXPECT_EQ(
      RenderStatus(TrialWithAFailureBehindIt()).document.Dump(),
      StrCat(
          R"({"booted":null,"default":4,"deployments":[)", deployment(5, "2.0", "trial", 2048, 1024), ",",
          deployment(4, "1.0", "default", 1024, 0),
          R"(],"last_failure":{"cause":"check-failed","serial":2,"text":"check: \u001b[31mred\nsecond line",)"
          R"("time":"2026-11-22T00:00:00Z"},"mounted":null,"next_boot":5,"pending":"factory-reset","previous":3,"trial":{"serial":5,"tries_left":2},"warnings":[]})"));
}

TEST(RenderStatus, TellsHowTheTreeWasMounted) {
  StatusReport report = TrialWithAFailureBehindIt();
  report.booted =
      Booted{.serial = 5, .root = {.root = "composefs", .image = "loop", .store = "data-only", .etc = "overlay"}};
  Outcome outcome = RenderStatus(report);
  EXPECT_NE(outcome.document.Dump().find(
                R"("mounted":{"etc":"overlay","image":"loop","root":"composefs","store":"data-only"},)"),
            std::string::npos);
  EXPECT_NE(outcome.text.find("mounted       composefs, image by loop, store as data-only, /etc by overlay\n"),
            std::string::npos)
      << outcome.text;
  report.booted->root = {.root = "checkout", .image = {}, .store = {}, .etc = "copy"};
  outcome = RenderStatus(report);
  EXPECT_NE(outcome.document.Dump().find(R"("mounted":{"etc":"copy","image":null,"root":"checkout","store":null},)"),
            std::string::npos);
  EXPECT_NE(outcome.text.find("mounted       checkout, /etc by copy\n"), std::string::npos) << outcome.text;
}

TEST(RenderStatus, TellsPeopleWhatBootsNextAndWhyAndEscapesWhatAReleaseSaid) {
  const std::string text = RenderStatus(TrialWithAFailureBehindIt()).text;
  EXPECT_NE(text.find("next boot     deployment 5 (2.0): on trial, 2 tries left\n"), std::string::npos) << text;
  EXPECT_NE(text.find("waiting       a factory reset of /var and /etc, at the next boot that is no trial's\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("last failure  deployment 2: check-failed, 2026-11-22T00:00:00Z\n"), std::string::npos) << text;
  EXPECT_NE(text.find("    | check: \\x1b[31mred\n    | second line\n"), std::string::npos) << text;
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(RenderHealth, FailsOnlyForRequiredChecks) {
  HealthReport report;
  report.checks.push_back(
      {.name = "/a", .required = false, .outcome = CheckResult::Outcome::kFailed, .detail = {}, .output = {}});
  EXPECT_EQ(RenderHealth(report).exit_status, 0);
  report.checks.push_back(
      {.name = "/b", .outcome = CheckResult::Outcome::kTimedOut, .detail = {}, .output = "a\n\x1b"});
  const Outcome outcome = RenderHealth(report);
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE(outcome.text.find("timed-out  /b"), std::string::npos) << outcome.text;
  EXPECT_NE(outcome.text.find("    | \\x1b\n"), std::string::npos) << outcome.text;
}

}  // namespace
}  // namespace hostapp::cli
