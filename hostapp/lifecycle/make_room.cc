// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/make_room.h"

#include <algorithm>

#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/boot_set.h"

namespace hostapp {
namespace {

bool IsFull(const Status& status) { return !status.ok() && status.error().code() == Errc::kNoSpace; }

// Bytes of a boot set that no other deployment uses; 0 when its space would not come back.
Result<uint64_t> OwnBootBytes(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  if (HasMark(device.sysroot, serial, Mark::kPinned)) return 0;
  ASSIGN_OR_RETURN(const std::vector<Deployment> deployments, LoadDeployments(device.sysroot, ctx));
  const auto its = std::find_if(deployments.begin(), deployments.end(),
                                [&](const Deployment& deployment) { return deployment.serial == serial; });
  if (its == deployments.end()) return 0;
  const bool shared = std::any_of(deployments.begin(), deployments.end(), [&](const Deployment& other) {
    return other.serial != serial && other.boot_set == its->boot_set;
  });
  if (shared) return 0;
  return BootSetBytes(device.sysroot, its->boot_set);
}

// What to do about it, with the numbers; nothing where giving up the previous deployment is no answer.
std::string Offer(const Device& device, OpContext& ctx) {
  const Result<DeploymentSerial> previous = DispensablePrevious(device);
  if (!previous.ok()) return {};
  const Result<uint64_t> bytes = OwnBootBytes(device, *previous, ctx);
  if (!bytes.ok() || *bytes == 0) return {};
  return StrCat("; nothing else can be collected, but deployment ", *previous,
                ", the previous one, could be given up, which frees ", *bytes,
                " bytes of the boot file system: hostapp gc --give-up-previous");
}

Error Refusal(const Error& error, const Device& device, OpContext& ctx) {
  return Error(error.code(), StrCat(error.message(), Offer(device, ctx)));
}

// The image, or what is there of it: without that it would have to be fetched again, into no less room.
AlsoNeeded NeededBy(const PullPlan& plan) {
  AlsoNeeded out{.images = {plan.manifest.digest}};
  out.unfinished.layers.insert(plan.config.diff_ids.begin(), plan.config.diff_ids.end());
  for (const Descriptor& blob : plan.manifest.layers) out.unfinished.blobs.insert(blob.digest);
  return out;
}

}  // namespace

Status MakeRoomAfter(Status status, const StoreLock& lock, const Device& device, const AlsoNeeded& also,
                     OpContext& ctx) {
  if (!IsFull(status)) return status;
  ASSIGN_OR_RETURN(const GarbageReport removed,
                   CollectGarbage(lock, device, PruneMode::kRemove, also, ctx).While("making room"));
  if (removed.bytes == 0 && removed.deployments.empty()) return Refusal(status.error(), device, ctx);
  ctx.log.Info(StrCat("too little room: removed ", HumanBytes(removed.bytes), " that nothing needs"));
  return Ok();
}

Result<PullPlan> PlanWithRoom(const StoreLock& lock, const Device& device, ImageStore& store, const Manifest& manifest,
                              BlobSource& source, OpContext& ctx) {
  ASSIGN_OR_RETURN(PullPlan plan, PlanPull(device, store, manifest, source, ctx));
  const Status space = CheckSpaceFor(device, store, plan, ctx);
  if (space.ok()) return plan;
  TRY(MakeRoomAfter(space, lock, device, NeededBy(plan), ctx));
  // The largest boot set that is left may be a smaller one.
  ASSIGN_OR_RETURN(plan, PlanPull(device, store, manifest, source, ctx));
  if (const Status enough = CheckSpaceFor(device, store, plan, ctx); !enough.ok()) {
    return Refusal(enough.error(), device, ctx);
  }
  return plan;
}

Result<PullPlan> PlanAsIfCollected(const Device& device, const ImageStore& store, const Manifest& manifest,
                                   BlobSource& source, OpContext& ctx) {
  ASSIGN_OR_RETURN(PullPlan plan, PlanPull(device, store, manifest, source, ctx));
  const Status space = CheckSpaceFor(device, store, plan, ctx);
  if (space.ok()) return plan;
  if (!IsFull(space)) return space.error();
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(const GarbageReport garbage, CollectGarbage(lock, device, PruneMode::kDryRun, NeededBy(plan), ctx));
  PullPlan rest = plan;
  rest.boot_bytes -= std::min(rest.boot_bytes, garbage.boot_bytes);
  rest.import.need_bytes -= std::min(rest.import.need_bytes, garbage.bytes - garbage.boot_bytes);
  if (!CheckSpaceFor(device, store, rest, ctx).ok()) return Refusal(space.error(), device, ctx);
  return plan;
}

}  // namespace hostapp
