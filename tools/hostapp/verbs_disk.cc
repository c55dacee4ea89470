// SPDX-License-Identifier: Apache-2.0
// install, grow, loader update: the device's disk.
#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/open_image.h"
#include "tools/hostapp/render.h"
#include "tools/hostapp/target.h"
#include "tools/hostapp/verbs.h"

namespace hostapp::cli {

Result<Done> Run(const InstallVerb& verb, const Target& /*target*/, OpContext& ctx) {
  InstallOptions options = verb.options;
  ASSIGN_OR_RETURN(options.settings, ReadSettings(verb.settings));
  ASSIGN_OR_RETURN(const Reference reference, Anchored(verb.reference));
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, ctx));
  ASSIGN_OR_RETURN(const InstallReport report,
                   InstallDisk(reference, *source, options, ctx).While("installing on ", Escape(options.disk)));
  return Done{RenderInstall(report, options.disk)};
}

Result<Done> Run(const GrowVerb& /*verb*/, const Target& target, OpContext& ctx) {
  // Neither ledger nor boot file system: a root that is full must be able to grow whatever else is wrong.
  ASSIGN_OR_RETURN(const SysrootPaths paths, PathsOf(target, BootNeed::kNothing));
  ASSIGN_OR_RETURN(const UniqueFd root, OpenDir(AT_FDCWD, paths.root, ctx.sys));
  ASSIGN_OR_RETURN(const GrowReport report, GrowRoot(root.get(), ctx).While("growing the root file system"));
  return Done{RenderGrow(report)};
}

Result<Done> Run(const LoaderUpdateVerb& /*verb*/, const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Device device, OpenTarget(target, Use::kAll, ctx));
  ASSIGN_OR_RETURN(const LoaderUpdate update, UpdateLoader(device, ctx));
  return Done{RenderLoaderUpdate(update)};
}

}  // namespace hostapp::cli
