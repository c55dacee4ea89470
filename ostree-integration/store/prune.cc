// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/prune.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <span>

#include "hostapp/base/durable.h"
#include "hostapp/base/file_lock.h"
#include "hostapp/oci/blob.h"
#include "ostree-integration/store/loose_objects.h"
#include "ostree-integration/store/reachable.h"
#include "ostree-integration/store/refs.h"

namespace hostapp {
namespace {

struct Unneeded {
  std::string path;  // below `objects`
  std::string extension;
  uint64_t bytes = 0;
};

struct PrunePlan {
  std::vector<std::string> refs;
  std::vector<Unneeded> objects;
};

// The order of removal: what names others goes before what it names, so that a run that ends in between leaves no
// commit whose tree is not whole (`ostree fsck` looks at every commit, with a ref or without).
int RemovalOrder(std::string_view extension) {
  if (extension.starts_with("commit")) return 0;
  if (extension == "dirtree") return 1;
  return 2;
}

bool IsOurs(std::string_view ref) { return ref.starts_with(kLayerRefPrefix) || ref.starts_with(kImageRefPrefix); }

Result<std::set<std::string>> WantedRefs(const ImageStore& store, const std::set<Digest>& keep,
                                         const UnfinishedImport& unfinished) {
  std::set<std::string> wanted;
  for (const Digest& diff_id : unfinished.layers) {
    const std::string ref = LayerRef(diff_id);
    // A damaged one is written again by that import.
    ASSIGN_OR_RETURN(const std::optional<std::string> commit, ResolveIntactRef(store, ref));
    if (commit) wanted.insert(ref);
  }
  for (const Digest& manifest : keep) {
    ASSIGN_OR_RETURN(const std::optional<ImageInfo> image, FindImage(store, manifest));
    if (!image) continue;
    wanted.insert(ImageRef(manifest));
    for (const Digest& diff_id : image->diff_ids) wanted.insert(LayerRef(diff_id));
  }
  return wanted;
}

// What a damaged ref kept is not known. Where nothing needs it but itself, that is no loss.
Status CheckDamaged(const std::string& ref, const std::set<std::string>& wanted) {
  if (!IsOurs(ref)) {
    return Error(
        Errc::kCorrupt,
        StrCat("the ref ", Escape(ref), ", which is not hostapp's, is damaged, and what it keeps is not known; ",
               "nothing was removed; write it again, or remove its file below ostree/repo/refs"));
  }
  if (!wanted.contains(ref)) return Ok();
  return Error(Errc::kCorrupt, StrCat("the ref ", ref, " is damaged; nothing was removed; run: hostapp fsck --repair"));
}

// The refs that stay, with their commits; the others go into `plan`.
Result<std::map<std::string, std::string>> KeptRefs(const ImageStore& store, const std::set<Digest>& keep,
                                                    const UnfinishedImport& unfinished, PrunePlan& plan) {
  ASSIGN_OR_RETURN(const RefScan scan, ScanRefs(store));
  ASSIGN_OR_RETURN(const std::set<std::string> wanted, WantedRefs(store, keep, unfinished));
  for (const std::string& ref : scan.damaged) {
    TRY(CheckDamaged(ref, wanted));
    plan.refs.push_back(ref);
  }
  std::map<std::string, std::string> kept;
  for (const auto& [ref, commit] : scan.refs) {
    if (!IsOurs(ref) || wanted.contains(ref)) {
      kept.emplace(ref, commit);
    } else {
      plan.refs.push_back(ref);
    }
  }
  std::ranges::sort(plan.refs);
  return kept;
}

Status FindUnneeded(const ImageStore& store, const ObjectSet& needed, Workers& workers, PrunePlan& plan) {
  TRY(ForEachLooseObject(store, [&](const LooseObject& object) -> Status {
    if (!needed.contains(object.id)) plan.objects.push_back({object.path, object.extension});
    return Ok();
  }));
  std::ranges::stable_sort(plan.objects, {}, [](const Unneeded& object) { return RemovalOrder(object.extension); });
  return ForEachOf(plan.objects.size(), workers, [&](size_t i, size_t) -> Status {
    Unneeded& object = plan.objects[i];
    struct stat info {};
    if (::fstatat(store.impl().objects.get(), object.path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return SysError(errno, StrCat("looking at the object ", object.path));
    }
    object.bytes = static_cast<uint64_t>(info.st_size);
    return Ok();
  });
}

Result<PrunePlan> Plan(const ImageStore& store, const std::set<Digest>& keep, const UnfinishedImport& unfinished,
                       Workers& workers) {
  PrunePlan plan;
  ASSIGN_OR_RETURN(const auto kept, KeptRefs(store, keep, unfinished, plan));
  ASSIGN_OR_RETURN(const std::vector<Start> starts, StartsOf(kept));
  Walker walker(store, workers, [](const Visit&) -> Result<bool> { return true; });
  Status walked = walker.Walk(starts);
  // To the caller a hole in the store is damage, not a question without an answer.
  if (!walked.ok() && walked.error().code() == Errc::kNotFound) {
    return Error(Errc::kCorrupt, walked.error().message(), walked.error().sys_errno());
  }
  TRY(std::move(walked));
  TRY(FindUnneeded(store, walker.seen(), workers, plan));
  return plan;
}

Status RemoveObjects(const ImageStore& store, const PrunePlan& plan, Workers& workers, OpContext& ctx) {
  const int objects = store.impl().objects.get();
  for (const std::string& ref : plan.refs) TRY(RemoveRef(store, ref, ctx));
  if (!plan.refs.empty()) TRY(SyncFilesystem(objects, ctx.sys));
  std::span<const Unneeded> left = plan.objects;
  while (!left.empty()) {
    const int order = RemovalOrder(left.front().extension);
    const auto same =
        std::ranges::find_if(left, [order](const Unneeded& object) { return RemovalOrder(object.extension) != order; });
    const std::span<const Unneeded> group(left.begin(), same);
    TRY(ForEachOf(group.size(), workers,
                  [&](size_t i, size_t) { return RemoveFile(objects, group[i].path, ctx.sys); }));
    TRY(SyncFilesystem(objects, ctx.sys));
    left = left.subspan(group.size());
  }
  return Ok();
}

Status AddBytes(int dir, const std::string& name, uint64_t& bytes) {
  struct stat info {};
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return SysError(errno, StrCat("looking at ", Escape(name)));
  }
  if (!S_ISDIR(info.st_mode)) {
    bytes += static_cast<uint64_t>(info.st_size);
    return Ok();
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir, name));
  for (const std::string& below : names) TRY(AddBytes(dir, StrCat(name, '/', below), bytes));
  return Ok();
}

// With both locks held nobody is in the middle of anything: `name` is left over.
Status RemoveLeftover(int dir, const std::string& name, PruneMode mode, PruneReport& report, OpContext& ctx) {
  TRY(AddBytes(dir, name, report.leftover_bytes));
  ++report.leftovers;
  if (mode == PruneMode::kRemove) TRY(RemoveTree(dir, name, ctx.sys));
  return Ok();
}

Status RemoveLeftovers(const ImageStore& store, const UnfinishedImport& unfinished, PruneMode mode, PruneReport& report,
                       OpContext& ctx) {
  std::set<std::string> kept{kImportLockName};
  for (const Digest& blob : unfinished.blobs) kept.insert(SpoolName(blob));
  ASSIGN_OR_RETURN(const std::vector<std::string> ours, ListDir(store.tmp_fd(), "."));
  for (const std::string& name : ours) {
    if (!kept.contains(name)) TRY(RemoveLeftover(store.tmp_fd(), name, mode, report, ctx));
  }
  const int repo = ostree_repo_get_dfd(store.impl().repo.get());
  ASSIGN_OR_RETURN(const std::vector<std::string> staged, ListDir(repo, "tmp"));
  for (const std::string& name : staged) {
    // libostree keeps a cache of what it fetches there.
    if (name != "cache") TRY(RemoveLeftover(repo, StrCat("tmp/", name), mode, report, ctx));
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> top, ListDir(repo, "."));
  for (const std::string& name : top) {
    if (IsUnfinished(name)) TRY(RemoveLeftover(repo, name, mode, report, ctx));
  }
  ASSIGN_OR_RETURN(const RefScan scan, ScanRefs(store));
  for (const std::string& name : scan.leftovers) TRY(RemoveLeftover(repo, StrCat("refs/", name), mode, report, ctx));
  return Ok();
}

}  // namespace

Result<PruneReport> Prune(ImageStore& store, const std::set<Digest>& keep, PruneMode mode, OpContext& ctx) {
  return Prune(store, keep, {}, mode, ctx);
}

Result<PruneReport> Prune(ImageStore& store, const std::set<Digest>& keep, const UnfinishedImport& unfinished,
                          PruneMode mode, OpContext& ctx) {
  ASSIGN_OR_RETURN(const FileLock import_lock,
                   FileLock::Acquire(store.tmp_fd(), kImportLockName, FileLock::Wait::kNo, ctx.cancel, ctx.sys));
  ASSIGN_OR_RETURN(const RepoLock repo_lock, RepoLock::Acquire(store, OSTREE_REPO_LOCK_EXCLUSIVE, ctx));
  Workers workers(ctx.jobs);
  ASSIGN_OR_RETURN(const PrunePlan plan, Plan(store, keep, unfinished, workers));
  TRY(ctx.cancel.Check());
  PruneReport report;
  report.refs = plan.refs;
  report.objects = plan.objects.size();
  for (const Unneeded& object : plan.objects) report.object_bytes += object.bytes;
  if (mode == PruneMode::kRemove) TRY(RemoveObjects(store, plan, workers, ctx).While("removing what nothing needs"));
  TRY(RemoveLeftovers(store, unfinished, mode, report, ctx).While("removing what interrupted runs left"));
  return report;
}

}  // namespace hostapp
