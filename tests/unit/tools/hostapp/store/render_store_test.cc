// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "tools/hostapp/store/render.h"

namespace hostapp::cli {
namespace {

TEST(RenderUpgrade, SaysThatAFailedReleaseIsLeftAlone) {
  const Digest digest = Digest::Of(AsBytes("x"));
  const Outcome outcome = RenderUpgrade({.skipped_failed_before = true, .manifest_digest = digest, .deploy = {}},
                                        UpgradeOptions::Mode::kDeploy, 0.25);
  EXPECT_EQ(
      outcome.document.Dump(),
      StrCat(
          R"({"bytes":{"downloaded":0,"reused":0,"written":0},"changed":false,"manifest_digest":")", digest.ToString(),
          R"(","root":null,"root_reason":null,"seconds":{"deploy":0.0,"fetch":0.25},"serial":null,"skipped":"failed-before"})"));
}

TEST(RenderCheck, ExitsAsCorruptWhileAProblemStays) {
  DeviceReport report{.objects = 2, .problems = {{.kind = "damaged-object", .what = "usr/x", .repaired = true}}};
  EXPECT_EQ(RenderCheck(report).exit_status, 0);
  report.problems[0].repaired = false;
  EXPECT_EQ(RenderCheck(report).exit_status, 4);
  EXPECT_EQ(
      RenderCheck(report).document.Dump(),
      R"({"checked":{"objects":2},"ok":false,"problems":[{"kind":"damaged-object","repaired":false,"what":"usr/x"}]})");
}

TEST(RenderGarbage, WritesTheDocumentedDocument) {
  const GarbageReport report{.deployments = {2, 3}, .boot_sets = 1, .refs = 4, .objects = 5, .bytes = 6};
  EXPECT_EQ(RenderGarbage(report, PruneMode::kRemove).document.Dump(),
            R"({"bytes":6,"deployments":[2,3],"objects":5,"refs":4})");
}

}  // namespace
}  // namespace hostapp::cli
