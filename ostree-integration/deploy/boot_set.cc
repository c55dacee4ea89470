// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/boot_set.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/read_file.h"

namespace hostapp {
namespace {

// What a set takes besides the bytes of its files: folders, SHA256SUMS, and the unused end of each file's last block.
constexpr uint64_t kFoldersAndSums = 4;
constexpr uint64_t kMostBlockBytes = 4096;

Status CopyFile(int from, int dir, const std::string& name, OpContext& ctx) {
  const UniqueFd to(ctx.sys.OpenAt(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!to.valid()) return SysError(-to.get(), StrCat("creating ", name));
  return ForEachChunk(from, [&](ByteSpan bytes) -> Status {
    TRY(ctx.cancel.Check());
    return WriteAll(to.get(), bytes, ctx.sys);
  });
}

// What there is of the set already and whole stays: a run before this one was interrupted, or something was damaged.
std::vector<const BootFile*> MissingFiles(const Sysroot& sysroot, const BootSet& set) {
  std::vector<const BootFile*> missing;
  for (const BootFile& file : set.files) {
    if (!HasBootFile(sysroot, set.digest(), {file.sha256.Hex(), file.name})) missing.push_back(&file);
  }
  return missing;
}

// The list first, and durably: what a cut leaves of the set is none.
Status RemoveFiles(int set_dir, const std::vector<const BootFile*>& files, OpContext& ctx) {
  if (files.empty()) return Ok();
  TRY(RemoveFile(set_dir, kSumsName, ctx.sys));
  TRY(SyncDir(set_dir, ctx.sys));
  for (const BootFile* file : files) {
    if (Exists(set_dir, file->name)) TRY(RemoveTree(set_dir, file->name, ctx.sys));
  }
  return Ok();
}

Status CopyFiles(int set_dir, const ImageStore& store, const std::string& commit,
                 const std::vector<const BootFile*>& files, OpContext& ctx) {
  for (const BootFile* file : files) {
    const size_t slash = file->name.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : file->name.substr(0, slash);
    ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(set_dir, parent, 0755, ctx.sys));
    ASSIGN_OR_RETURN(const UniqueFd from, OpenFile(store, commit, file->path));
    TRY(CopyFile(from.get(), dir.get(), file->name.substr(slash + 1), ctx).While("copying ", Escape(file->path)));
  }
  return Ok();
}

Status CheckBootSpace(const Sysroot& sysroot, const std::vector<const BootFile*>& parts, OpContext& ctx) {
  ASSIGN_OR_RETURN(const FreeSpace free, FreeSpaceOn(sysroot.boot(), ctx.sys));
  const uint64_t inodes = parts.size() + kFoldersAndSums;
  uint64_t bytes = inodes * kMostBlockBytes;
  for (const BootFile* part : parts) bytes += part->size;
  if (free.bytes >= bytes && free.inodes >= inodes) return Ok();
  return Error(Errc::kNoSpace,
               StrCat("the boot file system ", Escape(sysroot.paths().boot), " has ", free.bytes, " bytes and ",
                      free.inodes, " inodes free, the boot set needs ", bytes, " and ", inodes));
}

}  // namespace

std::string BootSet::Sums() const {
  std::string text;
  for (const BootFile& file : files) text += StrCat(file.sha256.Hex(), "  ", file.name, "\n");
  return text;
}

Status StageBootSet(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store, const std::string& commit,
                    const BootSet& set, OpContext& ctx) {
  if (!HasBootSet(sysroot, set.digest())) return CompleteBootSet(lock, sysroot, store, commit, set, ctx);
  // It may be there since a moment ago, by a run that was interrupted before all of it was durable.
  TRY(SyncFilesystem(sysroot.boot(), ctx.sys));
  return CheckBootSet(sysroot, set.digest());
}

Status CompleteBootSet(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store,
                       const std::string& commit, const BootSet& set, OpContext& ctx) {
  const HashValue digest = set.digest();
  const std::vector<const BootFile*> missing = MissingFiles(sysroot, set);
  TRY(CheckBootSpace(sysroot, missing, ctx));
  ASSIGN_OR_RETURN(const UniqueFd sets, MakeDirs(sysroot.boot(), kBootSetsDir, 0755, ctx.sys));
  const bool is_new = !Exists(sets.get(), digest.Hex());
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(sets.get(), digest.Hex(), 0755, ctx.sys));
  Status status = is_new ? Ok() : RemoveFiles(dir.get(), missing, ctx);
  if (status.ok()) status = CopyFiles(dir.get(), store, commit, missing, ctx);
  if (status.ok()) status = SyncFilesystem(sysroot.boot(), ctx.sys);
  // With the list it is a set.
  if (status.ok()) status = WriteUnderItsName(dir.get(), kSumsName, AsBytes(set.Sums()), 0644, ctx.sys);
  if (status.ok()) status = CheckBootSet(sysroot, digest);
  if (status.ok()) return Ok();
  // What a sync did not take must not be found and believed by the next run.
  if (is_new) {
    (void)RemoveBootSet(lock, sysroot, digest, ctx);
  } else {
    (void)RemoveFiles(dir.get(), missing, ctx);
  }
  return std::move(status).While("writing the boot set ", digest.Hex().substr(0, 12));
}

}  // namespace hostapp
