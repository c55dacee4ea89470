// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/open_image.h"

namespace hostapp {

struct UpgradeOptions {
  enum class Mode { kDeploy, kCheckOnly } mode = Mode::kDeploy;
  enum class FailedBefore { kSkip, kRetry } failed_before = FailedBefore::kSkip;
};

struct UpgradeReport {
  bool changed = false;                // a new deployment is on trial; with kCheckOnly: there would be one
  bool skipped_failed_before = false;  // the release failed here already and was left alone
  Digest manifest_digest;              // what the reference names now
  std::optional<DeployReport> deploy;
};

// Deploys what the default deployment's reference names now, unless that is the default or the waiting trial already
// (one request) or has failed here before. Kernel arguments that the device added to the default's stay. kNotFound on a
// sysroot without a default; otherwise as DeployImage().
Result<UpgradeReport> Upgrade(Device& device, const UpgradeOptions& options, OpContext& ctx);

}  // namespace hostapp
