// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/create_deployment.h"

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/base/workers.h"
#include "ostree-integration/deploy/contents.h"
#include "ostree-integration/deploy/root_file.h"
#include "ostree-integration/sysroot/ledger_file.h"

namespace hostapp {
namespace {

Status FillDeploymentDir(const Sysroot& sysroot, const ImageStore& store, const ImageTree& tree, RootKind root,
                         Deployment& deployment, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir,
                   MakeDirs(sysroot.deployments(), std::to_string(deployment.serial), 0755, ctx.sys));
  TRY(WriteContents(dir.get(), tree.Objects(), ctx));
  if (root == RootKind::kComposefs) {
    ASSIGN_OR_RETURN(deployment.composefs, WriteRootFile(store, tree, dir.get(), kRootFileName, ctx));
  } else {
    TRY(Checkout(store, deployment.commit, dir.get(), "root", ctx));
  }
  return SyncFilesystem(dir.get(), ctx.sys);  // its own name, too
}

// The commit point: from here on it is a deployment.
Status Complete(const Sysroot& sysroot, const Deployment& deployment, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(sysroot.deployments(), std::to_string(deployment.serial), ctx.sys));
  return ReplaceFile(dir.get(), "deployment.json", AsBytes(DeploymentJson(deployment)), 0644, ctx.sys);
}

// The boot set waits for its disk, and the tree for the processor: with `ctx.jobs` above 1 beside each other. Both are
// durable before the deployment is complete.
Status Make(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store, const ImageTree& tree,
            const NewDeployment& wanted, Deployment& deployment, OpContext& ctx) {
  Status staged;
  Workers beside(ctx.jobs);
  beside.Submit([&](size_t) { staged = StageBootSet(lock, sysroot, store, wanted.commit, wanted.boot_set, ctx); });
  Status filled = FillDeploymentDir(sysroot, store, tree, wanted.root, deployment, ctx);
  beside.Wait();
  TRY(std::move(staged));
  TRY(std::move(filled).While("making deployment ", deployment.serial));
  return Complete(sysroot, deployment, ctx).While("making deployment ", deployment.serial);
}

std::vector<std::string> Joined(std::vector<std::string> first, const std::vector<std::string>& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

}  // namespace

Result<DeploymentSerial> NextSerial(const Sysroot& sysroot) {
  DeploymentSerial highest = 0;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(sysroot.deployments(), "."));
  for (const std::string& name : names) highest = std::max(highest, ParseUint64(name).value_or(0));
  // A lost ledger names nothing.
  if (const Result<StoredLedger> stored = ReadLedger(sysroot); stored.ok()) {
    const bootsel::Ledger& ledger = stored->ledger;
    highest = std::max({highest, ledger.default_deployment.serial, ledger.previous.serial, ledger.trial.serial,
                        ledger.last_failure.serial, ledger.distrusted_up_to});
  }
  if (highest >= bootsel::kMaxSerial) {
    return Error(Errc::kCorrupt, StrCat("hostapp/deployments has something called ", highest,
                                        ", the last number there is; remove what is no deployment"));
  }
  return highest + 1;
}

Result<Deployment> CreateDeployment(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store,
                                    const ImageTree& tree, const NewDeployment& wanted, OpContext& ctx) {
  ASSIGN_OR_RETURN(const DeploymentSerial serial, NextSerial(sysroot));
  Deployment deployment{.serial = serial,
                        .reference = wanted.reference,
                        .manifest_digest = wanted.manifest_digest,
                        .commit = wanted.commit,
                        .version = wanted.version,
                        .kernel_arguments = Joined(wanted.image_arguments, wanted.device_arguments),
                        .device_kernel_arguments = wanted.device_arguments,
                        .boot_set = wanted.boot_set.digest(),
                        .kernel_version = wanted.boot_set.kernel_version,
                        .created = ctx.clock.UnixSeconds(),
                        .root_chosen = wanted.root_chosen};
  if (Status made = Make(lock, sysroot, store, tree, wanted, deployment, ctx); !made.ok()) {
    (void)RemoveDeployment(lock, sysroot, serial, ctx);
    return std::move(made).error();
  }
  return deployment;
}

}  // namespace hostapp
