// SPDX-License-Identifier: Apache-2.0
// A factory reset: the device's /var and the booting deployment's changes to /etc begin again from the image.
//
// It is asked for by the ledger's pending action and the file hostapp/factory-reset, and works in hostapp/reset, which
// nothing else touches. A power cut may come between any two steps; the next boot that may reset goes on:
//
//   1  reset/new-var is made of the image, complete under that name. Again after a cut, as long as 2 has not happened:
//      nothing of the device's is in it.
//   2  hostapp/var is renamed to reset/old-var. That name says that this part has begun, and there is no way back.
//   3  Each kept path is renamed from old-var into new-var (after a cut behind 4: into hostapp/var). It is in one of
//      the two at any time, and one that is not in old-var any more has been moved.
//   4  reset/new-var is renamed to hostapp/var: it has everything by then.
//   5  1 to 4 with deployments/<serial>/etc, new-etc-<serial> and old-etc-<serial>.
//   6  The ledger's pending action is cleared: the commit point. Until then no step has lost anything that is kept.
//   7  The request goes, and reset becomes tmp/old-reset-<generation>, of which a bounded part is removed; gc removes
//      the rest. A cut before that leaves hostapp/reset, which SweepReset() puts there at the next boot.
//
// Between 2 and 4 there is no hostapp/var at all, so nothing half-made can pass for one.
#pragma once

#include "initramfs/helper/copy_tree.h"
#include "initramfs/helper/ledger_file.h"
#include "initramfs/helper/plan.h"

namespace hostapp::initramfs {

struct ResetReport {
  uint32_t kept = 0;     // paths moved in this boot
  CopyStats filled;      // of /var and what lives there
  bool removed = false;  // nothing of the old trees is left for gc
};

bool ResetWaits(const bootsel::Ledger* ledger);

// Resets, for the deployment of `plan` with its open `tree`, and clears the request; durable when this returns true. On
// false the request stays, and the boot can go on: with the old /var or, when a kept path could not be moved, with a
// new one without it.
bool FactoryReset(int root, int tree, const MountPlan& plan, LedgerStore& store, ResetReport& report, Problem& why);

// Without a reset that waits: what a finished one has left becomes unfinished work that anything may remove.
bool SweepReset(int root, const LedgerStore& store, Problem& why);

}  // namespace hostapp::initramfs
