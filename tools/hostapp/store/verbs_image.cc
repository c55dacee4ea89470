// SPDX-License-Identifier: Apache-2.0
// pull, deploy, upgrade, kargs --append and --delete: what brings images and makes deployments.
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/make_room.h"
#include "hostapp/lifecycle/open_image.h"
#include "hostapp/lifecycle/pull_image.h"
#include "hostapp/lifecycle/upgrade.h"
#include "tools/hostapp/store/render.h"
#include "tools/hostapp/store/verbs.h"
#include "tools/hostapp/target.h"

namespace hostapp::cli {
namespace {

double SecondsSince(std::chrono::nanoseconds start, OpContext& ctx) {
  return std::chrono::duration<double>(ctx.clock.Monotonic() - start).count();
}

// What a deployment cannot keep is never dropped silently: counted here, each by name with --verbose.
void TellDropped(const ImportReport& import, OpContext& ctx) {
  if (import.dropped_count == 0) return;
  constexpr size_t kShown = 3;
  std::vector<std::string> shown;
  for (const DroppedPath& path : import.dropped) {
    const std::string line = StrCat(Escape(path.path), " (", path.reason, ")");
    ctx.log.Debug(StrCat("not kept: ", line));
    if (shown.size() < kShown) shown.push_back(line);
  }
  ctx.log.Warning(StrCat(import.dropped_count, " paths of the image are not kept: ", Join(shown, ", "),
                         import.dropped_count > shown.size() ? ", …" : ""));
}

Done AfterDeploy(Outcome outcome, Restart restart) {
  return {std::move(outcome), restart == Restart::kYes ? After::kRestart : After::kNothing};
}

}  // namespace

Result<Done> Run(const PullVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  ASSIGN_OR_RETURN(const Reference reference, Anchored(verb.reference));
  const auto start = ctx.clock.Monotonic();
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, ctx));
  ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, *source, HostPlatform(), ctx));
  ASSIGN_OR_RETURN(const StoreLock lock, StoreLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(const PullPlan plan, PlanWithRoom(lock, device, store, image.manifest, *source, ctx));
  ASSIGN_OR_RETURN(const PulledImage pulled, PullImage(lock, store, plan, *source, ctx));
  TellDropped(pulled.import, ctx);
  return Done{RenderPull(pulled, plan.in_store, SecondsSince(start, ctx))};
}

Result<Done> Run(const DeployVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(Device device, OpenTarget(target, Use::kAll, ctx));
  TRY(CheckMayRestart(verb.restart, device));
  ASSIGN_OR_RETURN(const Reference reference, Anchored(verb.reference));
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, ctx));
  const DeployOptions options{.tries = verb.tries, .kernel_arguments = verb.kernel_arguments, .root = verb.root};
  if (verb.mode == DeployVerb::Mode::kDryRun) {
    ASSIGN_OR_RETURN(const PullPlan plan, PlanDeploy(device, reference, *source, options, ctx));
    return Done{RenderPlan(plan)};
  }
  ASSIGN_OR_RETURN(const DeployReport report, DeployImage(device, reference, *source, options, ctx));
  TellDropped(report.import, ctx);
  return AfterDeploy(RenderDeploy(report, verb.tries), verb.restart);
}

Result<Done> Run(const EditKargsVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(Device device, OpenTarget(target, Use::kAll, ctx));
  TRY(CheckMayRestart(verb.restart, device));
  ASSIGN_OR_RETURN(const KernelArguments current, GetKernelArguments(device));
  ASSIGN_OR_RETURN(const std::vector<std::string> edited, EditedArguments(current, verb.edit));
  ASSIGN_OR_RETURN(const DeployReport report, DeployWithArguments(device, edited, verb.tries, ctx));
  return AfterDeploy(RenderDeploy(report, verb.tries), verb.restart);
}

Result<Done> Run(const UpgradeVerb& verb, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(Device device, OpenTarget(target, Use::kAll, ctx));
  TRY(CheckMayRestart(verb.restart, device));
  const auto start = ctx.clock.Monotonic();
  UpgradeOptions options;
  if (verb.mode == UpgradeVerb::Mode::kCheckOnly) options.mode = UpgradeOptions::Mode::kCheckOnly;
  if (verb.failed_before == UpgradeVerb::FailedBefore::kRetry) {
    options.failed_before = UpgradeOptions::FailedBefore::kRetry;
  }
  ASSIGN_OR_RETURN(const UpgradeReport report, Upgrade(device, options, ctx));
  const double seconds = SecondsSince(start, ctx);
  if (report.deploy) TellDropped(report.deploy->import, ctx);
  return AfterDeploy(RenderUpgrade(report, options.mode, seconds), report.deploy ? verb.restart : Restart::kNo);
}

}  // namespace hostapp::cli
