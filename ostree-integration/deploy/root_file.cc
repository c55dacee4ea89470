// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/root_file.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/enable_verity.h"
#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/composefs/fs_verity.h"
#include "ostree-integration/deploy/read_file.h"

namespace hostapp {
namespace {

constexpr const char* kNewRootFile = "root.cfs.new";

// What is wrong with the file, in words; empty: nothing.
Result<std::string> Problem(const ImageStore& store, int dir, const HashValue& digest) {
  const UniqueFd file(::openat(dir, kRootFileName, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid() && errno == ENOENT) return std::string("missing");
  if (!file.valid()) return SysError(errno, StrCat("opening ", kRootFileName));
  composefs::FsVerityHasher hasher;
  const Status read = ForEachChunk(file.get(), [&](ByteSpan bytes) {
    hasher.Update(bytes);
    return Ok();
  });
  if (!read.ok()) return read.error().message();  // a bad sector, or a block that fs-verity refuses
  const composefs::Sha256 found = hasher.Finish();
  if (std::ranges::equal(found, digest.span())) {
    return std::string(store.has_verity() && !HasVerity(file.get()) ? "it has no fs-verity" : "");
  }
  return StrCat("its fs-verity digest is ", HexEncode(found), ", not ", digest.Hex());
}

Status Rewrite(const ImageStore& store, const Deployment& deployment, int dir, OpContext& ctx) {
  TRY(RemoveFile(dir, kNewRootFile, ctx.sys));
  ASSIGN_OR_RETURN(const ImageTree tree, ImageTree::Load(store, deployment.manifest_digest, ctx));
  ASSIGN_OR_RETURN(const HashValue digest, WriteRootFile(store, tree, dir, kNewRootFile, ctx));
  if (digest != *deployment.composefs) {
    return Error(Errc::kCorrupt, StrCat("what the store has of the image gives ", digest.Hex(), ", not ",
                                        deployment.composefs->Hex(), "; deploy the image again"));
  }
  TRY(SyncFilesystem(dir, ctx.sys));
  TRY(Rename(dir, kNewRootFile, dir, kRootFileName, ctx.sys));
  return SyncDir(dir, ctx.sys);
}

}  // namespace

Result<HashValue> WriteRootFile(const ImageStore& store, const ImageTree& tree, int dir, const std::string& name,
                                OpContext& ctx) {
  UniqueFd file(ctx.sys.OpenAt(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!file.valid()) return SysError(-file.get(), StrCat("creating ", name));
  FileSink out(file.get(), ctx.sys);
  ASSIGN_OR_RETURN(const RootImage image, tree.WriteRootImage(out, ctx).While("writing ", name));
  file = UniqueFd();  // a file with a writer cannot get fs-verity
  TRY(store.GiveVerity(dir, name, ctx.sys).While("completing ", name));
  return image.digest;
}

Result<std::vector<TreeProblem>> CheckRootFile(const Sysroot& sysroot, const ImageStore& store,
                                               const Deployment& deployment, TreeRepair repair, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, deployment.serial, ctx));
  ASSIGN_OR_RETURN(
      const std::string what,
      Problem(store, dir.get(), *deployment.composefs).While("checking the tree of deployment ", deployment.serial));
  if (what.empty()) return std::vector<TreeProblem>();
  TreeProblem problem{.path = kRootFileName, .what = what};
  if (repair == TreeRepair::kYes) {
    const Status mended = Rewrite(store, deployment, dir.get(), ctx);
    if (!mended.ok()) (void)RemoveFile(dir.get(), kNewRootFile, ctx.sys);
    problem.repaired = mended.ok();
    if (!mended.ok()) problem.what += StrCat("; mending it: ", mended.error().message());
  }
  return std::vector<TreeProblem>{std::move(problem)};
}

}  // namespace hostapp
