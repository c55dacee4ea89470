// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdio>

#include "hostapp/base/strings.h"
#include "tools/hostapp/store/render.h"

namespace hostapp::cli {
namespace {

// Milliseconds are enough, and read better than what a clock gives.
double Rounded(double seconds) { return std::round(seconds * 1000) / 1000; }

std::string Seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds);
  return text;
}

Json BytesDocument(const ImportReport& import) {
  return Json::Object{
      {"downloaded", import.downloaded_bytes}, {"reused", import.reused_bytes}, {"written", import.written_bytes}};
}

std::string BytesText(const ImportReport& import) {
  return StrCat("downloaded ", HumanBytes(import.downloaded_bytes), ", reused ", HumanBytes(import.reused_bytes),
                ", wrote ", HumanBytes(import.written_bytes));
}

Json SecondsDocument(double fetch, double deploy) {
  return Json::Object{{"fetch", Rounded(fetch)}, {"deploy", Rounded(deploy)}};
}

Json::Object DeployDocument(const DeployReport& report) {
  return {{"changed", true},
          {"serial", report.serial},
          {"manifest_digest", report.manifest_digest.ToString()},
          {"root", RootName(report.root.kind)},
          {"root_reason", TextOrNull(report.root.reason)},
          {"bytes", BytesDocument(report.import)},
          {"seconds", SecondsDocument(report.fetch_seconds, report.deploy_seconds)}};
}

}  // namespace

Outcome RenderPull(const PulledImage& image, bool was_in_store, double seconds) {
  Json::Array dropped;
  for (const DroppedPath& path : image.import.dropped) {
    dropped.push_back(Json::Object{{"path", path.path}, {"reason", path.reason}});
  }
  Json::Object document = {{"changed", !was_in_store},
                           {"manifest_digest", image.manifest.digest.ToString()},
                           {"commit", image.commit},
                           {"version", image.config.version()},
                           {"bytes", BytesDocument(image.import)},
                           {"seconds", Json::Object{{"fetch", Rounded(seconds)}}},
                           {"dropped", Json::Object{{"count", image.import.dropped_count}, {"paths", dropped}}}};
  const std::string digest = image.manifest.digest.ToString();
  std::string text = was_in_store
                         ? StrCat(digest, " is in the store already\n")
                         : StrCat("pulled ", digest, "\n", BytesText(image.import), " in ", Seconds(seconds), "\n");
  return {.document = std::move(document), .text = std::move(text)};
}

Outcome RenderDeploy(const DeployReport& report, int tries) {
  std::string text = StrCat("deployment ", report.serial, " (", report.manifest_digest.Short(), ") ");
  text += report.on_trial ? StrCat("boots next, on trial with ", tries, tries == 1 ? " try\n" : " tries\n")
                          : std::string("is the default\n");
  text += StrCat(BytesText(report.import), "; fetched in ", Seconds(report.fetch_seconds), ", deployed in ",
                 Seconds(report.deploy_seconds), "\n");
  if (!report.root.reason.empty()) text += StrCat(report.root.reason, "\n");
  return {.document = DeployDocument(report), .text = std::move(text)};
}

Outcome RenderPlan(const PullPlan& plan) {
  const uint64_t missing = plan.import.missing.size();
  Json::Object document = {
      {"dry_run", true},
      {"manifest_digest", plan.manifest.digest.ToString()},
      {"version", plan.config.version()},
      {"in_store", plan.in_store},
      {"layers", Json::Object{{"all", uint64_t{plan.manifest.layers.size()}}, {"missing", missing}}},
      {"need", Json::Object{{"download_bytes", plan.import.download_bytes},
                            {"store_bytes", plan.import.need_bytes},
                            {"store_inodes", plan.import.need_inodes},
                            {"boot_bytes", plan.boot_bytes}}}};
  std::string text = StrCat("would deploy ", plan.manifest.digest.ToString(), "\n");
  text += plan.in_store ? std::string("it is in the store already: nothing to fetch\n")
                        : StrCat("would fetch ", missing, " of ", plan.manifest.layers.size(), " layers, ",
                                 HumanBytes(plan.import.download_bytes), ", and write at most ",
                                 HumanBytes(plan.import.need_bytes), " and ", plan.import.need_inodes,
                                 " inodes to the store, ", HumanBytes(plan.boot_bytes), " to the boot file system\n");
  return {.document = std::move(document), .text = std::move(text), .kind = Outcome::Kind::kAnswer};
}

Outcome RenderUpgrade(const UpgradeReport& report, UpgradeOptions::Mode mode, double seconds) {
  Outcome outcome;
  if (report.deploy) {
    outcome = RenderDeploy(*report.deploy, kDefaultTries);
    (*outcome.document.AsObject())["skipped"] = Json();
    return outcome;
  }
  outcome.document = Json::Object{{"changed", report.changed},
                                  {"serial", Json()},
                                  {"manifest_digest", report.manifest_digest.ToString()},
                                  {"root", Json()},
                                  {"root_reason", Json()},
                                  {"bytes", BytesDocument({})},
                                  {"seconds", SecondsDocument(seconds, 0)},
                                  {"skipped", report.skipped_failed_before ? Json("failed-before") : Json()}};
  const std::string digest = report.manifest_digest.ToString();
  if (report.skipped_failed_before) {
    outcome.text = StrCat(digest, " failed here before and is left alone; to try it again: hostapp upgrade --retry\n");
  } else if (report.changed) {
    outcome.text = StrCat("there is a new release: ", digest, "\n");
  } else {
    outcome.text = StrCat("nothing new: ", digest, " is deployed\n");
  }
  if (mode == UpgradeOptions::Mode::kCheckOnly) outcome.kind = Outcome::Kind::kAnswer;
  return outcome;
}

}  // namespace hostapp::cli
