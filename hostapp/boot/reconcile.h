// SPDX-License-Identifier: Apache-2.0
// What a boot leaves open, settled.
#pragma once

#include <string>
#include <vector>

#include "hostapp/boot/device.h"

namespace hostapp {

struct ReconcileReport {
  std::vector<std::string> settled;  // one line for each thing that was not as it should be
};

// At every boot, before the health checks: the running system has reached user space, which clears the default's
// attempts; a trial that is not running has failed if it has no tries left (no-tries-left) or its record is damaged or
// gone (mount); a mark-good that was cut short is finished; a lost ledger is made again from proven deployments.
// Converges: a second time does nothing.
Result<ReconcileReport> Reconcile(const Device& device, OpContext& ctx);

// At a shutdown that somebody asked for: a trial that is running gets its try back, at most ten times. True if it did.
Result<bool> GiveTryBackAtShutdown(const Device& device, OpContext& ctx);

}  // namespace hostapp
