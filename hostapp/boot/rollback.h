// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "hostapp/boot/device.h"

namespace hostapp {

struct RollbackReport {
  DeploymentSerial serial = 0;  // what boots next
  bool on_trial = false;        // it was never marked good: it has to prove itself
  bool trial_ended = false;     // a trial was given up
};

// Without `to`: a trial, waiting or running, is ended and the default stays; otherwise `previous` becomes the default.
// With `to`: that deployment becomes the default, or a trial if it was never marked good, with its changes to /etc
// copied anew at its next boot. The ledger is the commit point: one write. kNotFound: nothing to go back to, or no such
// deployment; kBusy: it is the trial that is running. Does not touch the store.
Result<RollbackReport> Rollback(const Device& device, std::optional<DeploymentSerial> to, OpContext& ctx);

}  // namespace hostapp
