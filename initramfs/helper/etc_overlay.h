// SPDX-License-Identifier: Apache-2.0
// A deployment's changes to /etc, before it is mounted.
//
// They live in deployments/<serial>/etc: `upper` and `work` for overlayfs, or, on a kernel without it, `tree`, a real
// copy. Which of them exists is the state: what is there under its name is complete. A deployment that has neither gets
// the changes of another one (a trial: of the deployment that ran when it was deployed) or none.
#pragma once

#include <optional>

#include "initramfs/bootsel/ledger.h"
#include "initramfs/helper/copy_tree.h"
#include "initramfs/helper/tree.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

enum class EtcForm : uint8_t { kOverlay, kCopy };

struct EtcState {
  EtcForm form = EtcForm::kOverlay;
  bool copied = false;  // made in this boot, out of the changes of `from`
  CopyStats stats;
};

// In all of these `tree` is the deployment's, open, and `root` the physical root.

// Makes sure that the deployment has its changes. Durable when this returns true.
bool PrepareEtc(const Trees& trees, int tree, bootsel::Serial serial, bootsel::Serial from, EtcState& state,
                Problem& why);

// Into the empty folder that becomes a deployment's `etc`: no changes at all. Not yet durable.
bool MakeEmptyUpper(int tree, bootsel::Serial serial, int etc, Problem& why);

// Where no overlay can be mounted on /etc: makes the real copy of the image's /usr/etc and of `upper`. Durable on true.
bool PrepareEtcCopy(int root, int tree, bootsel::Serial serial, EtcState& state, Problem& why);

// Whose changes a deployment without any of its own takes over: kNoSerial for nobody's.
bootsel::Serial EtcSource(const bootsel::Ledger* ledger, bootsel::Serial serial);

}  // namespace hostapp::initramfs
