// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/history.h"

#include <algorithm>
#include <array>
#include <limits>

#include "hostapp/base/clock.h"
#include "hostapp/base/durable.h"
#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxBytes = 1 << 20;

constexpr std::array kEvents = {
    std::pair(Transition::Event::kOnTrial, "on-trial"), std::pair(Transition::Event::kGood, "good"),
    std::pair(Transition::Event::kFailed, "failed"), std::pair(Transition::Event::kDefault, "default")};

std::string Identity(const bootsel::Failure& failure) {
  if (failure.serial == bootsel::kNoSerial) return "";
  const std::string all = StrCat(failure.serial, " ", failure.time.value_or(-1), " ", bootsel::CauseName(failure.cause),
                                 " ", failure.Text());
  return HashOf(AsBytes(all)).Hex();
}

Json SerialJson(DeploymentSerial serial) { return Json(static_cast<int64_t>(serial)); }

Result<DeploymentSerial> SerialAt(const JsonCursor& json, std::string_view key) {
  ASSIGN_OR_RETURN(const int64_t serial, json.IntAt(key, 0, std::numeric_limits<int64_t>::max()));
  return static_cast<DeploymentSerial>(serial);
}

Result<Transition> ParseTransition(const JsonCursor& json) {
  Transition transition;
  ASSIGN_OR_RETURN(const std::string name, json.StringAt("event"));
  const auto* const known =
      std::find_if(kEvents.begin(), kEvents.end(), [&](const auto& event) { return event.second == name; });
  if (known == kEvents.end()) return json.Wrong(StrCat("event \"", Escape(name), "\" is not known here"));
  transition.event = known->first;
  ASSIGN_OR_RETURN(transition.serial, SerialAt(json, "serial"));
  ASSIGN_OR_RETURN(transition.cause, json.StringAt("cause"));
  ASSIGN_OR_RETURN(transition.text, json.StringAt("text"));
  ASSIGN_OR_RETURN(const std::optional<std::string> time, json.OptionalStringAt("time"));
  if (time) transition.time = ParseTime(*time);
  return transition;
}

}  // namespace

std::string_view EventName(Transition::Event event) {
  for (const auto& [known, name] : kEvents) {
    if (known == event) return name;
  }
  return "";
}

bool Advance(History& history, const bootsel::Ledger& ledger, std::optional<int64_t> now) {
  std::vector<Transition> news;
  const bootsel::Failure& failure = ledger.last_failure;
  if (const std::string identity = Identity(failure); identity != history.failure) {
    history.failure = identity;
    if (failure.serial != bootsel::kNoSerial) {
      news.push_back({.event = Transition::Event::kFailed,
                      .serial = failure.serial,
                      .cause = std::string(bootsel::CauseName(failure.cause)),
                      .text = std::string(failure.Text()),
                      .time = failure.time});
    }
  }
  if (const DeploymentSerial next = ledger.default_deployment.serial; next != history.default_serial) {
    const bool proved = next == history.trial;
    if (next != bootsel::kNoSerial) {
      news.push_back({.event = proved ? Transition::Event::kGood : Transition::Event::kDefault,
                      .serial = next,
                      .cause = {},
                      .text = {},
                      .time = now});
    }
    history.default_serial = next;
  }
  if (ledger.trial.serial != history.trial) {
    history.trial = ledger.trial.serial;
    if (history.trial != bootsel::kNoSerial) {
      news.push_back(
          {.event = Transition::Event::kOnTrial, .serial = history.trial, .cause = {}, .text = {}, .time = now});
    }
  }
  auto& all = history.transitions;
  all.insert(all.end(), news.begin(), news.end());
  if (all.size() > kMaxTransitions) {
    all.erase(all.begin(), all.end() - static_cast<std::ptrdiff_t>(kMaxTransitions));
  }
  return !news.empty();
}

std::string HistoryJson(const History& history) {
  Json::Array transitions;
  for (const Transition& t : history.transitions) {
    const std::optional<std::string> time = t.time ? std::optional(FormatTime(*t.time)) : std::nullopt;
    transitions.emplace_back(Json::Object{{"event", EventName(t.event)},
                                          {"serial", SerialJson(t.serial)},
                                          {"cause", t.cause},
                                          {"text", t.text},
                                          {"time", time}});
  }
  return Json(Json::Object{{"transitions", std::move(transitions)},
                           {"default", SerialJson(history.default_serial)},
                           {"trial", SerialJson(history.trial)},
                           {"failure", history.failure}})
             .Pretty() +
         "\n";
}

Result<History> ParseHistory(std::string_view json) {
  ASSIGN_OR_RETURN(const Json document, ParseJson(json, kHistoryName));
  const JsonCursor top(document, kHistoryName);
  History history;
  ASSIGN_OR_RETURN(const JsonCursor transitions, top.Member("transitions"));
  ASSIGN_OR_RETURN(const auto elements, transitions.Elements());
  for (const JsonCursor& element : elements) {
    ASSIGN_OR_RETURN(history.transitions.emplace_back(), ParseTransition(element));
  }
  ASSIGN_OR_RETURN(history.default_serial, SerialAt(top, "default"));
  ASSIGN_OR_RETURN(history.trial, SerialAt(top, "trial"));
  ASSIGN_OR_RETURN(history.failure, top.StringAt("failure"));
  return history;
}

Result<History> ReadHistory(const Sysroot& sysroot) {
  if (!Exists(sysroot.hostapp(), kHistoryName)) return History{};
  ASSIGN_OR_RETURN(const std::string json, ReadFile(sysroot.hostapp(), kHistoryName, kMaxBytes));
  return ParseHistory(json);
}

Status RecordHistory(const LedgerLock& /*lock*/, const Sysroot& sysroot, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(sysroot));
  Result<History> old = ReadHistory(sysroot);
  History history = old.ok() ? std::move(old).value() : History{};
  if (!Advance(history, stored.ledger, PlausibleNow(ctx.clock))) return Ok();
  return ReplaceFile(sysroot.hostapp(), kHistoryName, AsBytes(HistoryJson(history)), 0644, ctx.sys);
}

}  // namespace hostapp
