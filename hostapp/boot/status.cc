// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/status.h"

#include <algorithm>

#include "hostapp/base/strings.h"
#include "hostapp/boot/firmware.h"

namespace hostapp {
namespace {

std::vector<bootsel::DeploymentFacts> FactsOf(const std::vector<Deployment>& deployments) {
  std::vector<bootsel::DeploymentFacts> facts;
  for (const Deployment& deployment : deployments) {
    bootsel::DeploymentFacts fact;
    fact.serial = deployment.serial;
    fact.complete = true;
    fact.proven = deployment.good;
    fact.has_boot_set = true;
    fact.boot_set = LedgerDigest(deployment.boot_set);
    fact.manifest = LedgerManifest(deployment.manifest_digest);
    facts.push_back(fact);
  }
  return facts;
}

// What the helper would choose if the machine restarted now and the loader followed the ledger.
bootsel::Choice NextChoice(const bootsel::Ledger& ledger, const std::vector<Deployment>& deployments) {
  const std::vector<bootsel::DeploymentFacts> facts = FactsOf(deployments);
  const bootsel::Facts all{.deployments = facts};
  return bootsel::Choose(&ledger, bootsel::Asked{}, all);
}

void Warn(const StoredLedger& stored, const std::optional<Booted>& booted, StatusReport& report) {
  if (stored.damaged_slots > 0)
    report.warnings.emplace_back("one of the boot ledger's two slots is damaged; its next change mends it");
  if (!booted) return;
  if (booted->kernel == bootsel::Kernel::kForeign) {
    report.warnings.emplace_back(
        "the running kernel is not the one that the running deployment brought; nothing can be marked good in this "
        "boot");
  }
  if (!booted->ledger_writable) {
    report.warnings.emplace_back("the boot ledger could not be written at this boot; no trial was started");
  }
}

}  // namespace

Result<StatusReport> GetStatus(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  ASSIGN_OR_RETURN(const std::vector<Deployment> deployments, LoadDeployments(device.sysroot, ctx));
  StatusReport report{.booted = device.booted, .ledger = stored.ledger};
  const bootsel::Choice next = NextChoice(stored.ledger, deployments);
  report.next_boot = next.action == bootsel::Action::kNothingBootable ? bootsel::kNoSerial : next.serial;
  report.next_reason = next.reason;
  const std::vector<Result<DeploymentSize>> sizes = MeasureDeployments(device.sysroot, deployments, ctx);
  TRY(ctx.cancel.Check());
  for (size_t i = 0; i < deployments.size(); ++i) {
    const Deployment& deployment = deployments[i];
    const Result<DeploymentSize>& size = sizes[i];
    // A gc has just taken it: no lock is held here.
    if (!size.ok() && !IsComplete(device.sysroot, deployment.serial)) continue;
    if (!size.ok()) report.warnings.push_back(StrCat(size.error().message(), "; run: hostapp fsck --repair"));
    report.deployments.push_back(
        {deployment, StateOf(deployment, stored.ledger), size.ok() ? *size : DeploymentSize{}});
  }
  std::reverse(report.deployments.begin(), report.deployments.end());
  Warn(stored, device.booted, report);
  if (std::optional<std::string> lacks = WhatFirmwareLacks(device, ctx)) report.warnings.push_back(std::move(*lacks));
  return report;
}

}  // namespace hostapp
