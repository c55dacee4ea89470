// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/deploy_image.h"

#include <algorithm>

#include "hostapp/base/strings.h"
#include "hostapp/boot/follow_ledger.h"
#include "hostapp/lifecycle/make_room.h"
#include "ostree-integration/deploy/bootable.h"
#include "ostree-integration/deploy/create_deployment.h"
#include "ostree-integration/deploy/kargs.h"

namespace hostapp {
namespace {

double SecondsSince(std::chrono::nanoseconds start, OpContext& ctx) {
  return std::chrono::duration<double>(ctx.clock.Monotonic() - start).count();
}

// With the widest serial: the one that it gets must not make it too long, nor a later one when the same arguments are
// deployed again.
Status CheckLoaderTakes(const Device& device, const std::vector<std::string>& kernel_arguments) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Loader> loader, OpenLoader(device.sysroot));
  BootEntry entry;
  entry.serial = bootsel::kMaxSerial;
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

std::vector<std::string> Both(std::vector<std::string> first, const std::vector<std::string>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

// What the device adds to any image's arguments: what it added so far, and what is new now.
Result<std::vector<std::string>> ArgumentsWith(const Device& device, const std::vector<std::string>& more) {
  ASSIGN_OR_RETURN(std::vector<std::string> all, DeviceArguments(device));
  for (const std::string& argument : more) {
    if (std::find(all.begin(), all.end(), argument) == all.end()) all.push_back(argument);
  }
  return all;
}

// The deployment that a new one begins from, with its changes to /etc and the device's kernel arguments: the running
// one, off the device the default; 0 on a sysroot without one.
Result<DeploymentSerial> BaseSerial(const Device& device) {
  if (device.booted) return device.booted->serial;
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  return stored.ledger.default_deployment.serial;
}

struct Release {
  std::string reference;
  Digest manifest_digest;
  std::string commit;
  std::optional<std::string> version;
  std::optional<RootKind> root;  // chosen, now or for a deployment before
};

std::optional<RootKind> ChosenFor(const Deployment& deployment) {
  if (!deployment.root_chosen) return std::nullopt;
  return RootOf(deployment);
}

Result<std::optional<RootKind>> ChosenRoot(const Device& device, std::optional<RootKind> now) {
  if (now) return now;
  ASSIGN_OR_RETURN(const DeploymentSerial serial, BaseSerial(device));
  if (serial == bootsel::kNoSerial) return std::optional<RootKind>();
  ASSIGN_OR_RETURN(const Deployment base, LoadDeployment(device.sysroot, serial));
  return ChosenFor(base);
}

struct Made {
  Deployment deployment;
  RootChoice root;
};

Result<Made> TryToMakeDeployment(const StoreLock& lock, const Device& device, const ImageStore& store,
                                 const Release& release, std::vector<std::string> device_arguments, OpContext& ctx) {
  TRY(CheckBootable(store, release.commit));
  NewDeployment wanted{.reference = release.reference,
                       .manifest_digest = release.manifest_digest,
                       .commit = release.commit,
                       .version = release.version,
                       .device_arguments = std::move(device_arguments),
                       .root_chosen = release.root.has_value()};
  ASSIGN_OR_RETURN(wanted.image_arguments, ImageKernelArguments(store, release.commit));
  TRY(CheckLoaderTakes(device, Both(wanted.image_arguments, wanted.device_arguments)));
  ASSIGN_OR_RETURN(const ImageTree tree, ImageTree::Load(store, release.manifest_digest, ctx));
  ASSIGN_OR_RETURN(wanted.boot_set, KnownBootSet(store, release.commit, tree, ctx));
  ASSIGN_OR_RETURN(RootChoice root,
                   ChooseRoot(store, release.commit, tree, wanted.boot_set.kernel_version, release.root));
  if (!root.reason.empty()) ctx.log.Info(root.reason);
  wanted.root = root.kind;
  ASSIGN_OR_RETURN(Deployment deployment, CreateDeployment(lock, device.sysroot, store, tree, wanted, ctx));
  TRY(StageEntry(lock, device, deployment, ctx));
  return Made{std::move(deployment), std::move(root)};
}

// What the boot set takes is known for certain only here.
Result<Made> MakeDeployment(const StoreLock& lock, const Device& device, const ImageStore& store,
                            const Release& release, const std::vector<std::string>& device_arguments, OpContext& ctx) {
  Result<Made> made = TryToMakeDeployment(lock, device, store, release, device_arguments, ctx);
  if (made.ok()) return made;
  TRY(MakeRoomAfter(made.error(), lock, device, {.images = {release.manifest_digest}}, ctx));
  return TryToMakeDeployment(lock, device, store, release, device_arguments, ctx);
}

// Arms it; returns whether it is on trial (not the first one).
Result<bool> Arm(const Device& device, const Deployment& deployment, int tries, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(const DeploymentSerial etc_from, BaseSerial(device));
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
  ASSIGN_OR_RETURN(const PullPlan plan, PlanWithRoom(lock, device, store, image.manifest, source, ctx));
  ASSIGN_OR_RETURN(PulledImage pulled, PullImage(lock, store, plan, source, ctx));
  DeployReport report{.manifest_digest = image.manifest.digest, .fetch_seconds = SecondsSince(start, ctx)};
  const auto fetched = ctx.clock.Monotonic();
  ASSIGN_OR_RETURN(const std::vector<std::string> arguments, ArgumentsWith(device, options.kernel_arguments));
  ASSIGN_OR_RETURN(const std::optional<RootKind> root, ChosenRoot(device, options.root));
  const Release release{.reference = reference.ToString(),
                        .manifest_digest = pulled.manifest.digest,
                        .commit = pulled.commit,
                        .version = pulled.config.version(),
                        .root = root};
  ASSIGN_OR_RETURN(Made made, MakeDeployment(lock, device, store, release, arguments, ctx));
  ASSIGN_OR_RETURN(report.on_trial, Arm(device, made.deployment, options.tries, ctx));
  report.serial = made.deployment.serial;
  report.root = std::move(made.root);
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
  return PlanAsIfCollected(device, store, image.manifest, source, ctx);
}

Result<std::vector<std::string>> DeviceArguments(const Device& device) {
  ASSIGN_OR_RETURN(const DeploymentSerial serial, BaseSerial(device));
  if (serial == bootsel::kNoSerial) return std::vector<std::string>();
  ASSIGN_OR_RETURN(Deployment deployment, LoadDeployment(device.sysroot, serial));
  return std::move(deployment.device_kernel_arguments);
}

Result<DeployReport> DeployWithArguments(Device& device, const std::vector<std::string>& arguments, int tries,
                                         OpContext& ctx) {
  TRY(CheckMayDeploy(device, {.tries = tries, .kernel_arguments = arguments}));
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  const auto start = ctx.clock.Monotonic();
  ASSIGN_OR_RETURN(const ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(const DeploymentSerial serial, BaseSerial(device));
  ASSIGN_OR_RETURN(const Deployment base, LoadDeployment(device.sysroot, serial));
  const Release release{.reference = base.reference,
                        .manifest_digest = base.manifest_digest,
                        .commit = base.commit,
                        .version = base.version,
                        .root = ChosenFor(base)};
  ASSIGN_OR_RETURN(Made made, MakeDeployment(lock, device, store, release, arguments, ctx));
  DeployReport report{
      .serial = made.deployment.serial, .manifest_digest = base.manifest_digest, .root = std::move(made.root)};
  ASSIGN_OR_RETURN(report.on_trial, Arm(device, made.deployment, tries, ctx));
  report.deploy_seconds = SecondsSince(start, ctx);
  return report;
}

}  // namespace hostapp
