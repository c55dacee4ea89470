// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/deploy_image.h"

#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/follow_ledger.h"
#include "ostree-integration/deploy/bootable.h"
#include "ostree-integration/deploy/create_deployment.h"
#include "ostree-integration/deploy/kargs.h"

namespace hostapp {
namespace {

double SecondsSince(std::chrono::nanoseconds start, OpContext& ctx) {
  return std::chrono::duration<double>(ctx.clock.Monotonic() - start).count();
}

Status CheckLoaderTakes(const Device& device, const std::vector<std::string>& kernel_arguments) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, OpenLoader(device.sysroot));
  BootEntry entry;
  entry.arguments = kernel_arguments;
  return loader->Check(entry);
}

Status CheckMayDeploy(const Device& device, const DeployOptions& options) {
  for (const std::string& argument : options.kernel_arguments) TRY(CheckKernelArgument(argument));
  TRY(CheckLoaderTakes(device, options.kernel_arguments));
  if (options.tries < 1 || options.tries > bootsel::kMaxTries) {
    return Error(Errc::kInvalid, StrCat("a trial has 1 to ", int{bootsel::kMaxTries}, " tries, not ", options.tries));
  }
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  return CheckNoTrialRuns(stored.ledger, device.booted);
}

// The deployment whose changes to /etc the new one begins with: the running one's, off the device the default's.
Result<DeploymentSerial> EtcFrom(const Device& device) {
  if (device.booted) return device.booted->serial;
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  return stored.ledger.default_deployment.serial;
}

Result<Deployment> MakeDeployment(const StoreLock& lock, const Device& device, const ImageStore& store,
                                  const Reference& reference, const PulledImage& image, const DeployOptions& options,
                                  OpContext& ctx) {
  TRY(CheckBootable(store, image.commit));
  NewDeployment wanted{.reference = reference.ToString(),
                       .manifest_digest = image.manifest.digest,
                       .commit = image.commit,
                       .version = image.config.version()};
  ASSIGN_OR_RETURN(wanted.kernel_arguments, ImageKernelArguments(store, image.commit));
  wanted.kernel_arguments.insert(wanted.kernel_arguments.end(), options.kernel_arguments.begin(),
                                 options.kernel_arguments.end());
  TRY(CheckLoaderTakes(device, wanted.kernel_arguments));
  ASSIGN_OR_RETURN(wanted.boot_set, ReadBootSet(store, image.commit, ctx));
  ASSIGN_OR_RETURN(Deployment deployment, CreateDeployment(lock, device.sysroot, store, wanted, ctx));
  TRY(StageEntry(lock, device, deployment, ctx));
  return deployment;
}

// Arms it; returns whether it is on trial (not the first one).
Result<bool> Arm(const Device& device, const Deployment& deployment, int tries, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(const DeploymentSerial etc_from, EtcFrom(device));
  ASSIGN_OR_RETURN(const bool on_trial,
                   ArmTrial(lock, device.sysroot, deployment, tries, etc_from, device.booted, ctx));
  TRY(FollowLedger(device, lock, ctx));
  return on_trial;
}

}  // namespace

Result<DeployReport> DeployResolved(Device& device, const Reference& reference, const ResolvedImage& image,
                                    ImageSource& source, const DeployOptions& options, OpContext& ctx) {
  TRY(CheckMayDeploy(device, options));
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  const auto start = ctx.clock.Monotonic();
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(const PullPlan plan, PlanPull(device, store, image.manifest, source, ctx));
  TRY(CheckSpaceFor(device, store, plan, ctx));
  ASSIGN_OR_RETURN(PulledImage pulled, PullImage(lock, store, plan, source, ctx));
  DeployReport report{.manifest_digest = image.manifest.digest, .fetch_seconds = SecondsSince(start, ctx)};
  const auto fetched = ctx.clock.Monotonic();
  ASSIGN_OR_RETURN(const Deployment deployment, MakeDeployment(lock, device, store, reference, pulled, options, ctx));
  ASSIGN_OR_RETURN(report.on_trial, Arm(device, deployment, options.tries, ctx));
  report.serial = deployment.serial;
  report.import = std::move(pulled.import);
  report.deploy_seconds = SecondsSince(fetched, ctx);
  return report;
}

Result<DeployReport> DeployImage(Device& device, const Reference& reference, ImageSource& source,
                                 const DeployOptions& options, OpContext& ctx) {
  TRY(CheckMayDeploy(device, options));
  ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, source, HostPlatform(), ctx));
  return DeployResolved(device, reference, image, source, options, ctx);
}

Result<PullPlan> PlanDeploy(Device& device, const Reference& reference, ImageSource& source,
                            const DeployOptions& options, OpContext& ctx) {
  TRY(CheckMayDeploy(device, options));
  ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, source, HostPlatform(), ctx));
  ASSIGN_OR_RETURN(const ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(PullPlan plan, PlanPull(device, store, image.manifest, source, ctx));
  TRY(CheckSpaceFor(device, store, plan, ctx));
  return plan;
}

}  // namespace hostapp
