// SPDX-License-Identifier: Apache-2.0
// An image becomes a new deployment on trial.
#pragma once

#include "hostapp/lifecycle/pull_image.h"
#include "ostree-integration/deploy/choose_root.h"

namespace hostapp {

struct DeployOptions {
  int tries = kDefaultTries;
  std::vector<std::string> kernel_arguments;  // the device's new ones, after the image's own and the device's so far
  std::optional<RootKind> root;               // the operator's choice; nothing: as chosen before, or ChooseRoot()'s
};

struct DeployReport {
  DeploymentSerial serial = 0;
  Digest manifest_digest;
  bool on_trial = true;  // false: the sysroot's first deployment, the default at once
  RootChoice root;
  ImportReport import;
  double fetch_seconds = 0;   // resolving, fetching, importing, merging
  double deploy_seconds = 0;  // checkout, boot set, ledger
};

// Brings the image into the store and makes it the trial. `reference` is kept with the deployment: where `upgrade`
// looks. Refused before anything is fetched: kBusy while a trial runs or another process has the store; kNoSpace, after
// what nothing needs has been collected (make_room.h); kInvalid. Commit point: the ledger (ArmTrial()). A crash before
// leaves the store richer and perhaps a deployment that gc removes.
Result<DeployReport> DeployImage(Device& device, const Reference& reference, ImageSource& source,
                                 const DeployOptions& options, OpContext& ctx);

// The same for an image that is resolved already.
Result<DeployReport> DeployResolved(Device& device, const Reference& reference, const ResolvedImage& image,
                                    ImageSource& source, const DeployOptions& options, OpContext& ctx);

// What the device adds to the kernel arguments of every image, as the running deployment has it (off the device: the
// default).
Result<std::vector<std::string>> DeviceArguments(const Device& device);

// The image of the running deployment (off the device: of the default) again, with these arguments of the device: a new
// deployment on trial, as any change of what boots is. Errors and commit point as above; nothing is fetched.
Result<DeployReport> DeployWithArguments(Device& device, const std::vector<std::string>& arguments, int tries,
                                         OpContext& ctx);

// What DeployImage() would do, without doing it; refuses what it would refuse.
Result<PullPlan> PlanDeploy(Device& device, const Reference& reference, ImageSource& source,
                            const DeployOptions& options, OpContext& ctx);

}  // namespace hostapp
