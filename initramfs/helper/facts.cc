// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/facts.h"

#include "initramfs/bootsel/cmdline.h"
#include "initramfs/helper/json_string.h"
#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/text.h"

namespace hostapp::initramfs {
namespace {

using bootsel::DeploymentFacts;
using bootsel::Serial;

constexpr size_t kMaxJsonBytes = 16384;  // deployment.json has a fixed set of short members; longer is not ours

void ReadJson(int deployments, DeploymentFacts& facts) {
  std::array<char, kMaxJsonBytes> buffer;
  std::string_view json;
  if (!ReadFileAt(deployments, PathOf(facts.serial, "/deployment.json").c_str(), buffer, json)) return;
  facts.has_boot_set = bootsel::ParseDigest(FindString(json, "boot_set"), facts.boot_set);
  bootsel::ParseManifestDigest(FindString(json, "manifest_digest"), facts.manifest);
}

DeploymentFacts LookAt(int deployments, Serial serial) {
  DeploymentFacts facts;
  facts.serial = serial;
  facts.complete = KindAt(deployments, PathOf(serial, "/deployment.json").c_str()) == EntryKind::kFile;
  facts.proven = facts.complete && ExistsAt(deployments, PathOf(serial, "/good").c_str());
  return facts;
}

// All deployments matter only where a stand-in may be needed; an ordinary boot looks at four folders.
bool NeedsAllDeployments(const bootsel::Ledger* ledger, const DeploymentFacts* default_facts) {
  if (ledger == nullptr || ledger->default_attempts >= bootsel::kAttemptsPerCandidate) return true;
  return default_facts == nullptr || !default_facts->complete || default_facts->unbootable;
}

}  // namespace

bool ReadComposefsDigest(int root, Serial serial, bootsel::Digest& digest) {
  std::array<char, kMaxJsonBytes> buffer;
  std::string_view json;
  return ReadFileAt(root, PathOf(kDeployments, "/", serial, "/deployment.json").c_str(), buffer, json) &&
         bootsel::ParseDigest(FindString(json, "composefs_digest"), digest);
}

void FactsTable::Gather(int root, const bootsel::Ledger* ledger, const bootsel::Asked& asked) {
  std::array<Serial, kMaxDeployments> broken{};
  size_t broken_count = 0;
  for (size_t i = 0; i < count_; i++) {
    if (table_[i].unbootable) broken[broken_count++] = table_[i].serial;
  }
  count_ = 0;
  named_ = 0;
  const Fd deployments = OpenDirectory(root, kDeployments);
  if (!deployments.ok()) return;
  if (ledger != nullptr) {
    AddNamed(deployments.get(), ledger->default_deployment.serial, false);
    AddNamed(deployments.get(), ledger->previous.serial, false);
    AddNamed(deployments.get(), ledger->trial.serial, false);
  }
  AddNamed(deployments.get(), asked.serial, true);
  named_ = count_;
  for (size_t i = 0; i < broken_count; i++) MarkUnbootable(broken[i]);
  if (NeedsAllDeployments(ledger, ledger == nullptr ? nullptr : Find(ledger->default_deployment.serial))) {
    AddProven(deployments.get());
  }
  for (size_t i = 0; i < broken_count; i++) MarkUnbootable(broken[i]);
}

void FactsTable::MarkUnbootable(Serial serial) {
  if (DeploymentFacts* facts = Find(serial); facts != nullptr) facts->unbootable = true;
}

bootsel::Facts FactsTable::facts() const {
  return {.ledger_writable = ledger_writable,
          .attempt_counted = attempt_counted,
          .deployments = std::span(table_).first(count_)};
}

DeploymentFacts* FactsTable::Find(Serial serial) {
  for (size_t i = 0; i < count_; i++) {
    if (table_[i].serial == serial) return &table_[i];
  }
  return nullptr;
}

void FactsTable::AddNamed(int deployments, Serial serial, bool read_json) {
  if (serial == bootsel::kNoSerial || Find(serial) != nullptr) return;
  DeploymentFacts facts = LookAt(deployments, serial);
  if (read_json && facts.complete) ReadJson(deployments, facts);
  table_[count_++] = facts;
}

void FactsTable::AddProven(int deployments) {
  DirectoryReader reader(deployments);
  for (const char* name = nullptr; reader.Next(name);) {
    const Serial serial = bootsel::ParseSerial(name);
    if (serial == bootsel::kNoSerial || Find(serial) != nullptr) continue;
    Insert(LookAt(deployments, serial));
  }
  for (size_t i = 0; i < count_; i++) {
    if (table_[i].complete && !table_[i].has_boot_set) ReadJson(deployments, table_[i]);
  }
}

// Unproven ones are kept while there is room (a ledger that is made again notes up to where nothing unproven is
// trusted); with a full table the oldest unproven, then the oldest proven one gives way.
void FactsTable::Insert(const DeploymentFacts& facts) {
  if (count_ < kMaxDeployments) {
    table_[count_++] = facts;
    return;
  }
  const auto worse = [](const DeploymentFacts& a, const DeploymentFacts& b) {
    return a.proven != b.proven ? !a.proven : a.serial < b.serial;
  };
  size_t worst = named_;
  for (size_t i = named_; i < count_; i++) {
    if (worse(table_[i], table_[worst])) worst = i;
  }
  if (worst < count_ && worse(table_[worst], facts)) table_[worst] = facts;
}

}  // namespace hostapp::initramfs
