// SPDX-License-Identifier: Apache-2.0
// install, grow, loader update: the device's disk.
#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/grow_root.h"
#include "hostapp/lifecycle/install_disk.h"
#include "hostapp/lifecycle/open_image.h"
#include "hostapp/lifecycle/update_loader.h"
#include "tools/hostapp/store/render.h"
#include "tools/hostapp/store/verbs.h"
#include "tools/hostapp/target.h"

namespace hostapp::cli {

Result<Done> Run(const InstallVerb& verb, const Target& /*target*/, OpContext& ctx) {
  InstallOptions options{.disk = verb.disk,
                         .loader = verb.loader,
                         .file_system = verb.file_system,
                         .kernel_arguments = verb.kernel_arguments,
                         .root = verb.root,
                         .settings = {}};
  if (verb.erase == InstallVerb::Erase::kWhatIsThere) options.erase = InstallOptions::Erase::kWhatIsThere;
  ASSIGN_OR_RETURN(
      options.settings,
      ReadSettings({.hostname = verb.hostname, .ssh_keys = verb.ssh_keys, .password_hash = verb.password_hash}));
  ASSIGN_OR_RETURN(const Reference reference, Anchored(verb.reference));
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> source, OpenSource(reference, {}, ctx));
  ASSIGN_OR_RETURN(const InstallReport report,
                   InstallDisk(reference, *source, options, ctx).While("installing on ", Escape(options.disk)));
  return Done{RenderInstall(report, options.disk)};
}

Result<Done> Run(const GrowVerb& /*verb*/, const Target& target, OpContext& ctx) {
  // Neither ledger nor boot file system: a root that is full must be able to grow whatever else is wrong.
  ASSIGN_OR_RETURN(const SysrootPaths paths, PathsOf(target, BootNeed::kNothing, ctx));
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
