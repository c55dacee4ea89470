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

std::string UnfinishedName(const HashValue& digest) { return StrCat(".", digest.Hex(), ".new"); }

bool IsUnfinished(std::string_view name) {
  return name.starts_with('.') && name.ends_with(".new") &&
         ParseBootSetName(name.substr(1, name.size() - 5)).has_value();
}

Status CopyFile(int from, int dir, const std::string& name, OpContext& ctx) {
  const UniqueFd to(ctx.sys.OpenAt(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!to.valid()) return SysError(-to.get(), StrCat("creating ", name));
  return ForEachChunk(from, [&](ByteSpan bytes) -> Status {
    TRY(ctx.cancel.Check());
    return WriteAll(to.get(), bytes, ctx.sys);
  });
}

// Durable, the folders' names too.
Status WriteSet(int set_dir, const ImageStore& store, const std::string& commit, const BootSet& set, OpContext& ctx) {
  for (const BootFile& file : set.files) {
    const size_t slash = file.name.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : file.name.substr(0, slash);
    ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(set_dir, parent, 0755, ctx.sys));
    ASSIGN_OR_RETURN(const UniqueFd from, OpenFile(store, commit, file.path));
    TRY(CopyFile(from.get(), dir.get(), file.name.substr(slash + 1), ctx).While("copying ", Escape(file.path)));
  }
  TRY(ReplaceFile(set_dir, kSumsName, AsBytes(set.Sums()), 0644, ctx.sys));
  return SyncFilesystem(set_dir, ctx.sys);
}

Status CheckBootSpace(const Sysroot& sysroot, const BootSet& set, OpContext& ctx) {
  ASSIGN_OR_RETURN(const FreeSpace free, FreeSpaceOn(sysroot.boot(), ctx.sys));
  const uint64_t inodes = set.files.size() + kFoldersAndSums;
  const uint64_t bytes = set.bytes + inodes * kMostBlockBytes;
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
  const HashValue digest = set.digest();
  ASSIGN_OR_RETURN(const UniqueFd sets, MakeDirs(sysroot.boot(), kBootSetsDir, 0755, ctx.sys));
  if (HasBootSet(sysroot, digest)) {
    // It may be there since a moment ago, by a run that was interrupted before the name was durable.
    TRY(SyncDir(sets.get(), ctx.sys));
    TRY(SyncFilesystem(sets.get(), ctx.sys));
    return CheckBootSet(sysroot, digest);
  }
  TRY(CheckBootSpace(sysroot, set, ctx));
  const std::string unfinished = UnfinishedName(digest);
  TRY(RemoveTree(sets.get(), unfinished, ctx.sys));
  // Without a SHA256SUMS it is no set: a power cut that kept the folder's new name and lost its content.
  TRY(RemoveTree(sets.get(), digest.Hex(), ctx.sys));
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(sets.get(), unfinished, 0755, ctx.sys));
  Status status = WriteSet(dir.get(), store, commit, set, ctx);
  if (status.ok()) status = Rename(sets.get(), unfinished, sets.get(), digest.Hex(), ctx.sys);
  // On FAT SyncDir() would first write the new name of a folder without clusters; this writes both names in one go.
  if (status.ok()) status = SyncFilesystem(sets.get(), ctx.sys);
  if (status.ok()) status = SyncDir(sets.get(), ctx.sys);
  if (status.ok()) status = CheckBootSet(sysroot, digest);
  if (status.ok()) return Ok();
  // Nothing refers to it yet, and what a sync did not take must not be found and believed by the next run.
  (void)RemoveTree(sets.get(), unfinished, ctx.sys);
  (void)RemoveBootSet(lock, sysroot, digest, ctx);
  return std::move(status).While("writing the boot set ", digest.Hex().substr(0, 12));
}

Result<uint64_t> CollectUnfinishedBootSets(const StoreLock& /*lock*/, const Sysroot& sysroot, PruneMode mode,
                                           OpContext& ctx) {
  uint64_t bytes = 0;
  if (!Exists(sysroot.boot(), kBootSetsDir)) return bytes;
  ASSIGN_OR_RETURN(const UniqueFd sets, OpenDir(sysroot.boot(), kBootSetsDir, ctx.sys));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(sets.get(), "."));
  for (const std::string& name : names) {
    if (!IsUnfinished(name)) continue;
    ASSIGN_OR_RETURN(const uint64_t below, BytesBelow(sets.get(), name));
    bytes += below;
    if (mode == PruneMode::kRemove) TRY(RemoveTree(sets.get(), name, ctx.sys));
  }
  return bytes;
}

}  // namespace hostapp
