// SPDX-License-Identifier: Apache-2.0
// The small records on a device's disk beside the ledger and deployment.json: history.json, loader.json, a boot set's
// SHA256SUMS, lists of contents, the helper's record of this boot, the request of a factory reset.
#include <algorithm>
#include <string>

#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"
#include "initramfs/bootsel/choose.h"
#include "initramfs/bootsel/reset_request.h"
#include "ostree-integration/sysroot/boot_sets.h"
#include "ostree-integration/sysroot/booted.h"
#include "ostree-integration/sysroot/contents_list.h"
#include "ostree-integration/sysroot/history.h"
#include "ostree-integration/sysroot/open_loader.h"
#include "tests/fuzz/selected.h"
#include "tools/hostapp/render.h"

namespace hostapp {
namespace {

using fuzz::Require;

// What was understood can be shown.
void Show(const StatusReport& report) {
  const std::string document = cli::RenderStatus(report).document.Dump();
  Require(ParseJson(document, "status").ok());
}

template <typename T>
bool Refused(const Result<T>& result) {
  if (!result.ok()) Require(result.error().code() == Errc::kCorrupt);
  return !result.ok();
}

void CheckHistory(std::string_view text) {
  Result<History> history = ParseHistory(text);
  if (Refused(history)) return;
  const auto again = ParseHistory(HistoryJson(*history));
  Require(again.ok() && *again == *history);
  for (const Transition& transition : history->transitions) Require(!EventName(transition.event).empty());
  bootsel::Ledger ledger;
  ledger.generation = 2;
  ledger.default_deployment.serial = 7;
  ledger.trial.serial = 8;
  ledger.last_failure.serial = 6;
  ledger.last_failure.cause = bootsel::Cause::kCheckFailed;
  ledger.last_failure.SetText(text);
  Advance(*history, ledger, 1800000000);
  Require(history->transitions.size() <= kMaxTransitions || history->default_serial == 7);
  Require(!Advance(*history, ledger, 1800000001));
  Require(ParseHistory(HistoryJson(*history)).ok());
}

void CheckLoader(std::string_view text) {
  const auto config = ParseLoaderConfig(text);
  if (Refused(config)) return;
  const auto again = ParseLoaderConfig(LoaderConfigJson(*config));
  Require(again.ok() && *again == *config);
}

void CheckSums(std::string_view text) {
  const auto set = ParseBootSetName(text.substr(0, text.find('\n')));
  if (set) Require(text.starts_with(set->Hex()));
  const auto files = ParseBootSetSums(text);
  if (Refused(files)) return;
  std::string written;
  for (const BootSetFile& file : *files) {
    Require(ParseBootSetName(file.sha256).has_value());
    Require(!file.name.empty() && StrCat("/", file.name, "/").find("/../") == std::string::npos);
    written += StrCat(file.sha256, "  ", file.name, "\n");
  }
  const auto again = ParseBootSetSums(written);
  Require(again.ok() && *again == *files);
}

// In pieces of any size, the same records, each after the one before.
std::vector<ContentsRecord> Records(std::string_view text, size_t piece, bool& whole) {
  std::vector<ContentsRecord> records;
  ByteSpan bytes = AsBytes(text);
  const size_t magic = std::min(bytes.size(), kContentsMagic.size());
  auto reader = ContentsReader::Begin(bytes.first(magic), bytes.size() - magic);
  whole = !Refused(reader);
  for (bytes = bytes.subspan(magic); whole && !bytes.empty();) {
    const size_t size = std::min(bytes.size(), piece * kContentsRecordBytes);
    const Status taken = reader->Take(bytes.first(size), [&](const ContentsRecord& record) {
      Require(records.empty() || record.id > records.back().id);
      records.push_back(record);
    });
    if (!taken.ok()) Require(taken.error().code() == Errc::kCorrupt);
    whole = taken.ok();
    bytes = bytes.subspan(size);
  }
  if (whole) Require(reader->left() == 0 && records.size() == (text.size() - magic) / kContentsRecordBytes);
  return records;
}

void CheckContents(std::string_view text) {
  const std::string with_magic = StrCat(kContentsMagic, text.substr(0, text.size() / 16 * 16));
  for (const std::string_view list : {text, std::string_view(with_magic)}) {
    bool whole = false, again = false;
    const auto records = Records(list, 1, whole);
    Require(records.size() == Records(list, 1000, again).size() && whole == again);
    if (!whole) continue;
    StatusReport report;
    report.deployments.push_back({.deployment = {.serial = 1, .manifest_digest = Digest(HashValue())}});
    DeploymentSize& size = report.deployments.back().size;
    for (const ContentsRecord& record : records) size.total += record.size;
    size.unique = size.total;
    Show(report);
  }
}

void CheckBooted(std::string_view text) {
  const auto booted = ParseBooted(text);
  if (Refused(booted)) return;
  Require(booted->serial != bootsel::kNoSerial);
  StatusReport report;
  report.booted = *booted;
  Show(report);
  const std::string written = StrCat("serial=", booted->serial, "\nreason=", bootsel::ReasonName(booted->reason),
                                     "\nkernel=", bootsel::KernelName(booted->kernel),
                                     "\nledger-writable=", booted->ledger_writable ? "yes" : "no",
                                     "\nroot=", booted->root.root, "\nroot-image=", booted->root.image,
                                     "\nroot-store=", booted->root.store, "\netc=", booted->root.etc, "\n");
  const auto again = ParseBooted(written);
  Require(again.ok() && again->serial == booted->serial && again->reason == booted->reason);
  Require(again->kernel == booted->kernel && again->ledger_writable == booted->ledger_writable);
  Require(again->root.root == booted->root.root && again->root.etc == booted->root.etc);
}

void CheckRequest(const std::string& text) {
  bootsel::ResetRequest request;
  if (!bootsel::ParseResetRequest(text, request)) return;
  std::string written(bootsel::kResetRequestHeader);
  for (const std::string_view path : request.Keep()) {
    Require(bootsel::WhyNotKeepable(path).empty() && path.find("/../") == path.npos && !path.ends_with("/.."));
    Require(bootsel::IsBelow(path, "/var") || bootsel::IsBelow(path, "/etc"));
    written += StrCat(path, "\n");
  }
  Require(written == text);
}

void CheckResetRequest(std::string_view text) {
  CheckRequest(std::string(text));
  CheckRequest(StrCat(bootsel::kResetRequestHeader, text));
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckHistory,  CheckLoader, CheckSums,
                                                   CheckContents, CheckBooted, CheckResetRequest};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
