// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "ostree-integration/sysroot/booted.h"
#include "ostree-integration/sysroot/ledger_file.h"

namespace hostapp {

inline constexpr int kDefaultTries = 3;

// Makes `deployment` the trial of the next boots, at most `tries` of them (1..9), until it is marked good. Its /etc
// begins from what `etc_from` has changed (0: as the default's). A sysroot's first deployment becomes the default at
// once instead. Returns whether it is on trial.
//
// On return the change is on disk. On any error the old ledger is intact. A trial that has not booted yet is replaced.
// kBusy while a trial is running; kInvalid for other numbers of tries.
Result<bool> ArmTrial(const LedgerLock& lock, const Sysroot& sysroot, const Deployment& deployment, int tries,
                      DeploymentSerial etc_from, const std::optional<Booted>& booted, OpContext& ctx);

// The same in a ledger that is being changed (ChangeLedger()), for a `tries` that has been checked.
void StartTrial(bootsel::Ledger& ledger, const Deployment& deployment, int tries, DeploymentSerial etc_from);

// kBusy while the trial that the ledger names is the running deployment.
Status CheckNoTrialRuns(const bootsel::Ledger& ledger, const std::optional<Booted>& booted);

bootsel::NamedDeployment Name(const Deployment& deployment);
bootsel::ManifestDigest LedgerManifest(const Digest& digest);

}  // namespace hostapp
