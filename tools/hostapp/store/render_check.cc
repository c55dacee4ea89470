// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/strings.h"
#include "tools/cli/table.h"
#include "tools/hostapp/store/render.h"

namespace hostapp::cli {
namespace {

std::string Count(uint64_t count, std::string_view one, std::string_view many) {
  return StrCat(count, " ", count == 1 ? one : many);
}

std::string_view AnswerName(Feature::Answer answer) {
  switch (answer) {
    case Feature::Answer::kYes:
      return "yes";
    case Feature::Answer::kNo:
      return "no";
    case Feature::Answer::kNeedsRoot:
      return "needs-root";
  }
  return "no";
}

}  // namespace

Outcome RenderGarbage(const GarbageReport& report, PruneMode mode) {
  Json::Array serials;
  std::vector<std::string> names;
  for (const DeploymentSerial serial : report.deployments) {
    serials.push_back(serial);
    names.push_back(StrCat(serial));
  }
  Json::Object document = {
      {"deployments", std::move(serials)}, {"refs", report.refs}, {"objects", report.objects}, {"bytes", report.bytes}};
  std::string text = StrCat(mode == PruneMode::kDryRun ? "would remove " : "removed ",
                            Count(report.deployments.size(), "deployment", "deployments"));
  if (!names.empty()) text += StrCat(" (", Join(names, ", "), ")");
  text += StrCat(", ", Count(report.boot_sets, "boot set", "boot sets"), ", ", Count(report.refs, "ref", "refs"), ", ",
                 Count(report.objects, "object", "objects"), ": ", HumanBytes(report.bytes), "\n");
  const bool dry = mode == PruneMode::kDryRun;
  return {.document = std::move(document),
          .text = std::move(text),
          .kind = dry ? Outcome::Kind::kAnswer : Outcome::Kind::kDone};
}

Outcome RenderCheck(const DeviceReport& report) {
  Json::Array problems;
  std::string text;
  for (const DeviceProblem& problem : report.problems) {
    problems.push_back(Json::Object{{"kind", problem.kind}, {"what", problem.what}, {"repaired", problem.repaired}});
    text += StrCat(problem.repaired ? "repaired  " : "", problem.kind, ": ", problem.what, "\n");
  }
  text += StrCat(report.ok() ? "ok: " : "not ok: ", Count(report.objects, "object", "objects"), " verified, ",
                 Count(report.problems.size(), "problem", "problems"), "\n");
  Json::Object document = {
      {"ok", report.ok()}, {"checked", Json::Object{{"objects", report.objects}}}, {"problems", std::move(problems)}};
  return {.document = std::move(document),
          .text = std::move(text),
          .kind = Outcome::Kind::kAnswer,
          .exit_status = report.ok() ? 0 : ExitCode(Errc::kCorrupt)};
}

Outcome RenderFeatures(const std::vector<Feature>& features) {
  Json::Array documents;
  std::vector<std::vector<std::string>> rows;
  for (const Feature& feature : features) {
    const std::string answer(AnswerName(feature.answer));
    documents.push_back(
        Json::Object{{"name", feature.name}, {"answer", answer}, {"detail", TextOrNull(feature.detail)}});
    rows.push_back({feature.name, answer, feature.meaning, feature.detail});
  }
  return {.document = Json::Object{{"features", std::move(documents)}},
          .text = Table(rows),
          .kind = Outcome::Kind::kAnswer};
}

}  // namespace hostapp::cli
