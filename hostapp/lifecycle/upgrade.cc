// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/upgrade.h"

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

Result<Deployment> DefaultDeployment(const Device& device, const bootsel::Ledger& ledger) {
  if (ledger.default_deployment.serial == bootsel::kNoSerial) {
    return Error(Errc::kNotFound, "nothing is deployed here yet; begin with: hostapp deploy REFERENCE");
  }
  return LoadDeployment(device.sysroot, ledger.default_deployment.serial);
}

bool IsThere(const Digest& digest, const Deployment& current, const bootsel::Ledger& ledger) {
  const bool waits = ledger.trial.serial != bootsel::kNoSerial && ledger.trial.manifest == LedgerManifest(digest);
  return waits || digest == current.manifest_digest;
}

}  // namespace

Result<UpgradeReport> Upgrade(Device& device, const UpgradeOptions& options, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  TRY(CheckNoTrialRuns(stored.ledger, device.booted));
  ASSIGN_OR_RETURN(const Deployment current, DefaultDeployment(device, stored.ledger));
  ASSIGN_OR_RETURN(const Reference reference, ParseReference(current.reference));
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, ctx));
  ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, *source, HostPlatform(), ctx));
  UpgradeReport report{.manifest_digest = image.manifest.digest};
  if (IsThere(image.manifest.digest, current, stored.ledger)) return report;
  const bool failed = stored.ledger.failed.Contains(LedgerManifest(image.manifest.digest));
  if (failed && options.failed_before == UpgradeOptions::FailedBefore::kSkip) {
    report.skipped_failed_before = true;
    return report;
  }
  report.changed = true;
  if (options.mode == UpgradeOptions::Mode::kCheckOnly) return report;
  ASSIGN_OR_RETURN(report.deploy, DeployResolved(device, reference, image, *source, {}, ctx));
  return report;
}

}  // namespace hostapp
