// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "hostapp/base/clock.h"
#include "hostapp/base/strings.h"
#include "initramfs/bootsel/reset_request.h"
#include "tools/cli/table.h"
#include "tools/hostapp/render.h"

namespace hostapp::cli {
namespace {

Json SerialOrNull(DeploymentSerial serial) { return serial == bootsel::kNoSerial ? Json() : Json(serial); }

Json DeploymentDocument(const DeploymentStatus& status) {
  const Deployment& deployment = status.deployment;
  return Json::Object{
      {"serial", deployment.serial},
      {"reference", deployment.reference},
      {"manifest_digest", deployment.manifest_digest.ToString()},
      {"commit", deployment.commit},
      {"version", deployment.version},
      {"root", RootName(RootOf(deployment))},
      {"boot_set", deployment.boot_set.Hex()},
      {"created", FormatTime(deployment.created)},
      {"pinned", deployment.pinned},
      {"state", StateName(status.state)},
      {"bytes", Json::Object{{"total", status.size.total}, {"unique", status.size.unique}}},
  };
}

Json MountedDocument(const std::optional<Booted>& booted) {
  if (!booted) return {};
  return Json::Object{{"root", TextOrNull(booted->root.root)},
                      {"image", TextOrNull(booted->root.image)},
                      {"store", TextOrNull(booted->root.store)},
                      {"etc", TextOrNull(booted->root.etc)}};
}

Json FailureDocument(const bootsel::Failure& failure) {
  if (failure.serial == bootsel::kNoSerial) return {};
  return Json::Object{{"serial", failure.serial},
                      {"cause", bootsel::CauseName(failure.cause)},
                      {"text", failure.Text()},
                      {"time", failure.time ? Json(FormatTime(*failure.time)) : Json()}};
}

Json TrialDocument(const bootsel::Trial& trial) {
  if (trial.serial == bootsel::kNoSerial) return {};
  return Json::Object{{"serial", trial.serial}, {"tries_left", int{trial.tries_left}}};
}

Json PendingDocument(uint32_t action) {
  if (action == 0) return {};
  return action == bootsel::kFactoryReset ? "factory-reset" : "unknown";
}

Json Document(const StatusReport& report) {
  Json::Array deployments;
  for (const DeploymentStatus& status : report.deployments) deployments.push_back(DeploymentDocument(status));
  Json::Array warnings;
  for (const std::string& warning : report.warnings) warnings.push_back(warning);
  return Json::Object{
      {"booted", report.booted ? Json(report.booted->serial) : Json()},
      {"mounted", MountedDocument(report.booted)},
      {"default", SerialOrNull(report.ledger.default_deployment.serial)},
      {"previous", SerialOrNull(report.ledger.previous.serial)},
      {"trial", TrialDocument(report.ledger.trial)},
      {"next_boot", SerialOrNull(report.next_boot)},
      {"pending", PendingDocument(report.ledger.pending_action)},
      {"last_failure", FailureDocument(report.ledger.last_failure)},
      {"deployments", std::move(deployments)},
      {"warnings", std::move(warnings)},
  };
}

// "deployment 4 (1.2.0)"
std::string Name(const StatusReport& report, DeploymentSerial serial) {
  const auto found = std::find_if(report.deployments.begin(), report.deployments.end(),
                                  [&](const DeploymentStatus& status) { return status.deployment.serial == serial; });
  if (found == report.deployments.end() || !found->deployment.version) return StrCat("deployment ", serial);
  return StrCat("deployment ", serial, " (", Escape(*found->deployment.version), ")");
}

std::string Tries(int tries) { return StrCat(tries, tries == 1 ? " try" : " tries"); }

std::string Running(const StatusReport& report) {
  if (!report.booted) return "not this system";
  const bool on_trial = report.booted->serial == report.ledger.trial.serial;
  return StrCat(Name(report, report.booted->serial), on_trial ? ", on trial" : "");
}

// "composefs, image by loop, store as data-only, /etc by overlay"
std::string Mounted(const BootedRoot& root) {
  std::string text = Escape(root.root);
  if (!root.image.empty()) text += StrCat(", image by ", Escape(root.image));
  if (!root.store.empty()) text += StrCat(", store as ", Escape(root.store));
  if (!root.etc.empty()) text += StrCat(", /etc by ", Escape(root.etc));
  return text;
}

std::string Why(const StatusReport& report) {
  switch (report.next_reason) {
    case bootsel::Reason::kTrial:
      return StrCat("on trial, ", Tries(report.ledger.trial.tries_left), " left");
    case bootsel::Reason::kDefault:
      return "the default";
    case bootsel::Reason::kNoTriesLeft:
      return StrCat("the trial of ", Name(report, report.ledger.trial.serial), " has used up its tries");
    case bootsel::Reason::kDefaultGaveWay:
      return StrCat(Name(report, report.ledger.default_deployment.serial), ", the default, did not start");
    default:
      return std::string(bootsel::ReasonName(report.next_reason));
  }
}

std::string NextBoot(const StatusReport& report) {
  if (report.next_boot == bootsel::kNoSerial) return "nothing that can boot is deployed";
  return StrCat(Name(report, report.next_boot), ": ", Why(report));
}

// The lines that a failed check printed, each with a mark, so that none can pass for one of ours.
std::string Quoted(std::string_view text) {
  std::string quoted;
  for (const std::string_view line : Split(Trim(text), '\n')) quoted += StrCat("    | ", Escape(line), "\n");
  return quoted;
}

std::string LastFailure(const StatusReport& report) {
  const bootsel::Failure& failure = report.ledger.last_failure;
  if (failure.serial == bootsel::kNoSerial) return {};
  std::array<char, bootsel::kManifestDigestMaxChars> digest{};
  std::string text = StrCat("last failure  ", Name(report, failure.serial), ": ", bootsel::CauseName(failure.cause),
                            ", ", failure.time ? FormatTime(*failure.time) : "at an unknown time", "\n");
  const std::string_view manifest = bootsel::FormatManifestDigest(failure.manifest, digest);
  if (!manifest.empty()) text += StrCat("    ", manifest, "\n");
  if (!failure.Text().empty()) text += Quoted(failure.Text());
  return text;
}

std::string Deployments(const StatusReport& report) {
  if (report.deployments.empty()) return {};
  std::vector<std::vector<std::string>> rows = {
      {"", "SERIAL", "STATE", "VERSION", "CREATED", "SIZE", "OWN", "REFERENCE"}};
  for (const DeploymentStatus& status : report.deployments) {
    const Deployment& deployment = status.deployment;
    const bool runs = report.booted && report.booted->serial == deployment.serial;
    rows.push_back({runs ? "*" : "", StrCat(deployment.serial),
                    StrCat(StateName(status.state), deployment.pinned ? ", pinned" : ""),
                    deployment.version ? Escape(*deployment.version) : "-", FormatTime(deployment.created),
                    HumanBytes(status.size.total), HumanBytes(status.size.unique), Escape(deployment.reference)});
  }
  return "\n" + Table(rows);
}

}  // namespace

Outcome RenderStatus(const StatusReport& report) {
  std::string text = StrCat("running       ", Running(report), "\n");
  if (report.booted) text += StrCat("mounted       ", Mounted(report.booted->root), "\n");
  text += StrCat("next boot     ", NextBoot(report), "\n");
  if (report.ledger.previous.serial != bootsel::kNoSerial) {
    text += StrCat("to go back    ", Name(report, report.ledger.previous.serial), "\n");
  }
  if (report.ledger.pending_action == bootsel::kFactoryReset) {
    text += "waiting       a factory reset of /var and /etc, at the next boot that is no trial's\n";
  }
  text += LastFailure(report);
  for (const std::string& warning : report.warnings) text += StrCat("warning       ", warning, "\n");
  text += Deployments(report);
  return {.document = Document(report), .text = std::move(text), .kind = Outcome::Kind::kAnswer};
}

}  // namespace hostapp::cli
