// SPDX-License-Identifier: Apache-2.0
// The boot loader does what the boot ledger says.
#pragma once

#include "hostapp/boot/device.h"
#include "ostree-integration/sysroot/open_loader.h"

namespace hostapp {

// Adds to the history what has happened, and makes the loader start the ledger's default and, before it, its trial with
// as many tries as the ledger has left; entries that it needs and has not are staged. `previous`, if it is
// proven, keeps its entry and its mark, for the loader to go back to; that it cannot is a warning. The firmware is told
// first (firmware.h); that it cannot be is a warning. Called after every change of the ledger, and at every boot,
// because a cut between the two leaves the loader behind. Converges: a second time writes nothing. Errors are the
// adapter's; the ledger is not changed, and the next boot's `reconcile` tries again.
Status FollowLedger(const Device& device, const LedgerLock& lock, OpContext& ctx);

// Why the loader will not start the ledger's trial, which does not run, although the ledger has tries left: it has used
// up its own without the helper having been reached, or what it would start is damaged. Nothing while it may.
Result<std::optional<std::string>> WhyLoaderGaveUp(const Device& device, const bootsel::Ledger& ledger);

// Where the loader does not do what the ledger says; nothing when it does, or when there is no loader.
Result<std::optional<std::string>> WhatLoaderLacks(const Device& device);

// Adds the loader's entry for a deployment that is complete. Nothing is started because of it.
Status StageEntry(const StoreLock& lock, const Device& device, const Deployment& deployment, OpContext& ctx);

// Forgets the entries of deployments that are not among `kept`, before their boot sets go.
Status RemoveEntriesExcept(const StoreLock& lock, const Device& device, const std::vector<DeploymentSerial>& kept,
                           OpContext& ctx);

}  // namespace hostapp
