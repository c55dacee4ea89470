// SPDX-License-Identifier: Apache-2.0
// Health checks: executables of the image and of the device, and systemd's failed units. A check that cannot run, times
// out, is killed or exits other than 0 has failed.
#pragma once

#include <string>
#include <vector>

#include "hostapp/boot/check_result.h"
#include "hostapp/boot/device.h"
#include "hostapp/boot/health_options.h"

namespace hostapp {

// The image's settings and then the device's own: {usr/lib,etc}/hostapp/health.toml below `root`. One that cannot be
// read is left out with a warning: a broken file must not keep a device from its updates.
HealthOptions ReadHealthOptions(const std::string& root, OpContext& ctx);

struct HealthReport {
  std::vector<CheckResult> checks;

  bool healthy() const;                     // no required check failed
  const CheckResult* first_failed() const;  // required; null when healthy
};

// Runs the executables of {usr/lib,etc}/hostapp/health.d/{required,wanted} and
// {usr/lib,etc}/greenboot/check/{required,wanted}.d, required ones first, each folder's by name, one after the other,
// then asks systemd for failed units. A folder that is not there has no checks; one that cannot be read is a failed
// check. kCancelled; nothing else is an error of the call.
Result<HealthReport> RunHealthChecks(const HealthOptions& options, OpContext& ctx);

struct ProofReport {
  HealthReport health;
  enum class Verdict {
    kReported,  // no trial runs: nothing was changed
    kGood,      // the trial is the default now
    kFailed,    // the trial has failed: restart, and the default boots
  } verdict = Verdict::kReported;
  DeploymentSerial serial = 0;  // of the running deployment
};

// Runs the checks and, while the running deployment is the trial, decides: MarkGood(), if it is healthy and still is
// after the stability window, or MarkFailed(), and kFailed even if the ledger or the loader could not be written (a
// warning says so): what has failed must not stay. A crash in the window has used up the try that this boot took. A
// proven default that has no mark of goodness yet (a device's first deployment) gets one when it is healthy.
Result<ProofReport> ProveRunning(const Device& device, const HealthOptions& options, OpContext& ctx);

}  // namespace hostapp
