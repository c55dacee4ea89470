// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/clock.h"
#include "hostapp/base/strings.h"
#include "tools/cli/table.h"
#include "tools/hostapp/render.h"

namespace hostapp::cli {

Outcome RenderSerial(DeploymentSerial serial, std::string_view line) {
  return {.document = Json::Object{{"serial", serial}}, .text = StrCat(line, "\n")};
}

Outcome RenderRollback(const RollbackReport& report) {
  Json::Object document = {
      {"serial", report.serial}, {"on_trial", report.on_trial}, {"trial_ended", report.trial_ended}};
  std::string text = report.trial_ended ? "the trial is over\n" : "";
  text += StrCat("deployment ", report.serial, " boots next",
                 report.on_trial ? ", on trial: it was never marked good\n" : "\n");
  return {.document = std::move(document), .text = std::move(text)};
}

Outcome RenderFactoryReset(const std::vector<std::string>& kept) {
  Json::Array keep;
  std::string text = "at the next boot /var and the changes to /etc begin again from the image";
  text += kept.empty() ? "; nothing is kept\n" : "; kept are:\n";
  for (const std::string& path : kept) {
    keep.push_back(path);
    text += StrCat("  ", Escape(path), "\n");
  }
  return {.document = Json::Object{{"pending", "factory-reset"}, {"keep", std::move(keep)}}, .text = std::move(text)};
}

Outcome RenderNoFactoryReset() {
  return {.document = Json::Object{{"pending", Json()}, {"keep", Json::Array{}}},
          .text = "the factory reset will not be done\n"};
}

Outcome RenderReconcile(const ReconcileReport& report) {
  Json::Array settled;
  std::string text;
  for (const std::string& line : report.settled) {
    settled.push_back(line);
    text += line + "\n";
  }
  if (text.empty()) text = "nothing was left open\n";
  return {.document = Json::Object{{"settled", std::move(settled)}, {"try_given_back", Json()}},
          .text = std::move(text)};
}

Outcome RenderGiveBack(bool given) {
  return {.document = Json::Object{{"settled", Json::Array{}}, {"try_given_back", given}},
          .text = given ? "the running trial has its try back\n" : "no try to give back\n"};
}

Outcome RenderLog(const History& history) {
  Json::Array list;
  std::vector<std::vector<std::string>> rows;
  for (const Transition& t : history.transitions) {
    const std::optional<std::string> time = t.time ? std::optional(FormatTime(*t.time)) : std::nullopt;
    const bool failed = t.event == Transition::Event::kFailed;
    list.emplace_back(Json::Object{{"event", EventName(t.event)},
                                   {"serial", static_cast<int64_t>(t.serial)},
                                   {"cause", failed ? Json(t.cause) : Json()},
                                   {"text", failed ? Json(t.text) : Json()},
                                   {"time", time}});
    const std::string text = t.text.substr(0, t.text.find('\n'));
    rows.push_back(
        {time.value_or("-"), StrCat("deployment ", t.serial), std::string(EventName(t.event)), t.cause, Escape(text)});
  }
  return {.document = Json::Object{{"transitions", std::move(list)}},
          .text = rows.empty() ? "nothing has happened yet\n" : Table(rows)};
}

Outcome RenderEtcDiff(DeploymentSerial serial, const std::vector<EtcChange>& changes) {
  using Kind = EtcChange::Kind;
  Json::Array list;
  std::string text;
  for (const EtcChange& change : changes) {
    const bool added = change.kind == Kind::kAdded;
    const bool removed = change.kind == Kind::kRemoved;
    list.push_back(Json::Object{{"kind", added ? "added" : removed ? "removed" : "modified"}, {"path", change.path}});
    text += StrCat(added ? "A " : removed ? "D " : "M ", Escape(change.path), "\n");
  }
  return {.document = Json::Object{{"serial", serial}, {"changes", std::move(list)}},
          .text = std::move(text),
          .kind = Outcome::Kind::kAnswer};
}

Outcome RenderLoaderUpdate(const LoaderUpdate& update) {
  Json::Object document = {{"loader", LoaderName(update.loader)},
                           {"changed", update.changed},
                           {"path", update.path},
                           {"program", StrCat("sha256:", update.program.Hex())}};
  std::string text =
      StrCat(LoaderName(update.loader), update.changed ? ": updated " : ": up to date, ", update.path, "\n");
  return {.document = std::move(document), .text = std::move(text)};
}

}  // namespace hostapp::cli
