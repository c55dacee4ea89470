// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/pull_image.h"

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/annotations.h"
#include "ostree-integration/deploy/boot_set.h"
#include "ostree-integration/store/merge.h"

namespace hostapp {
namespace {

// `hostapp-image pack` writes what the boot set will take; for other images the largest set here is the best guess, and
// the exact number is checked again before the set is written.

Status PlanBootBytes(const Device& device, PullPlan& plan) {
  const auto annotation = plan.manifest.annotations.find(kBootSetSizeAnnotation);
  const auto stated = annotation == plan.manifest.annotations.end() ? std::nullopt : ParseUint64(annotation->second);
  if (stated) {
    plan.boot_bytes = *stated;
    plan.boot_bytes_source = "as the image says";
    return Ok();
  }
  ASSIGN_OR_RETURN(plan.boot_bytes, LargestBootSet(device.sysroot));
  plan.boot_bytes_source = "as the largest boot set here";
  return Ok();
}

}  // namespace

Result<PullPlan> PlanPull(const Device& device, const ImageStore& store, const Manifest& manifest, BlobSource& source,
                          OpContext& ctx) {
  TRY(CheckIsImage(manifest));
  PullPlan plan{.manifest = manifest};
  ASSIGN_OR_RETURN(const bool merged, IsMerged(store, manifest.digest));
  if (merged) {
    ASSIGN_OR_RETURN(StoredImage stored, LoadImage(store, manifest.digest));
    plan.config = std::move(stored.config);
    plan.in_store = true;
    return plan;
  }
  ASSIGN_OR_RETURN(std::string config, FetchSmallBlob(manifest.config, kMaxConfigBytes, source, ctx)
                                           .While("fetching the config ", manifest.config.digest.Short()));
  ASSIGN_OR_RETURN(plan.config, ParseImageConfig(std::move(config), manifest.layers.size()));
  ASSIGN_OR_RETURN(plan.import, PlanImport(store, manifest, plan.config));
  TRY(PlanBootBytes(device, plan));
  return plan;
}

Status CheckSpaceFor(const Device& device, const ImageStore& store, const PullPlan& plan, OpContext& ctx) {
  TRY(CheckSpace(store, plan.import, ctx));
  ASSIGN_OR_RETURN(const FreeSpace boot, FreeSpaceOn(device.sysroot.boot(), ctx.sys));
  if (boot.bytes >= plan.boot_bytes) return Ok();
  return Error(Errc::kNoSpace,
               StrCat("the boot file system ", Escape(device.sysroot.paths().boot), " has ", boot.bytes,
                      " bytes free, a boot set needs ", plan.boot_bytes, " (", plan.boot_bytes_source, ")"));
}

Result<PulledImage> PullImage(const StoreLock& /*lock*/, ImageStore& store, const PullPlan& plan, BlobSource& source,
                              OpContext& ctx) {
  PulledImage pulled{.manifest = plan.manifest, .config = plan.config};
  if (!plan.in_store) {
    // Until keys are configured (a later release) nothing vouches for an image but its digest.
    ctx.log.Warning(
        StrCat(plan.manifest.digest.Short(), ": the image is not signed; accepted because no key is configured"));
    ASSIGN_OR_RETURN(pulled.import, ImportImage(store, plan.manifest, plan.config, source, ctx));
  } else {
    pulled.import.layers_reused = plan.manifest.layers.size();
  }
  ASSIGN_OR_RETURN(pulled.commit, MergeImage(store, plan.manifest, plan.config, ctx, &pulled.import));
  return pulled;
}

}  // namespace hostapp
