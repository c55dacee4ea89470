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

Outcome RenderKernelArguments(const KernelArguments& arguments) {
  const auto list = [](const std::vector<std::string>& all) {
    Json::Array out;
    for (const std::string& argument : all) out.emplace_back(argument);
    return out;
  };
  return {.document =
              Json::Object{
                  {"serial", arguments.serial}, {"image", list(arguments.image)}, {"device", list(arguments.device)}},
          .text = StrCat("image:  ", Join(arguments.image, " "), "\ndevice: ", Join(arguments.device, " "), "\n")};
}

}  // namespace hostapp::cli
