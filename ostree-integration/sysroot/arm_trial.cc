// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/arm_trial.h"

#include "hostapp/base/strings.h"

namespace hostapp {

bootsel::NamedDeployment Name(const Deployment& deployment) {
  bootsel::NamedDeployment named;
  named.serial = deployment.serial;
  named.boot_set = LedgerDigest(deployment.boot_set);
  named.has_composefs_digest = deployment.composefs.has_value();
  if (deployment.composefs) named.composefs = LedgerDigest(*deployment.composefs);
  return named;
}

bootsel::ManifestDigest LedgerManifest(const Digest& digest) {
  bootsel::ManifestDigest out;
  CHECK(bootsel::ParseManifestDigest(digest.ToString(), out));
  return out;
}

Status CheckNoTrialRuns(const bootsel::Ledger& ledger, const std::optional<Booted>& booted) {
  if (!booted || ledger.trial.serial == bootsel::kNoSerial || booted->serial != ledger.trial.serial) return Ok();
  return Error(Errc::kBusy,
               StrCat("deployment ", booted->serial,
                      " is running on trial; wait until it has proved itself, or end the trial with: hostapp "
                      "mark-good, mark-failed or rollback"));
}

void StartTrial(bootsel::Ledger& ledger, const Deployment& deployment, int tries, DeploymentSerial etc_from) {
  bootsel::Trial trial;
  static_cast<bootsel::NamedDeployment&>(trial) = Name(deployment);
  trial.manifest = LedgerManifest(deployment.manifest_digest);
  trial.etc_from = etc_from;
  trial.tries_left = static_cast<uint8_t>(tries);
  ledger.trial = trial;
}

Result<bool> ArmTrial(const LedgerLock& lock, const Sysroot& sysroot, const Deployment& deployment, int tries,
                      DeploymentSerial etc_from, const std::optional<Booted>& booted, OpContext& ctx) {
  if (tries < 1 || tries > bootsel::kMaxTries) {
    return Error(Errc::kInvalid, StrCat("a trial has 1 to ", int{bootsel::kMaxTries}, " tries, not ", tries));
  }
  bool on_trial = true;
  const auto arm = [&](bootsel::Ledger& ledger) -> Status {
    if (ledger.default_deployment.serial == bootsel::kNoSerial) {
      ledger.default_deployment = Name(deployment);
      on_trial = false;
      return Ok();
    }
    TRY(CheckNoTrialRuns(ledger, booted));
    StartTrial(ledger, deployment, tries, etc_from);
    return Ok();
  };
  TRY(ChangeLedger(lock, sysroot, ctx, arm));
  return on_trial;
}

}  // namespace hostapp
