// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/boot_set.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
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
Result<std::vector<const BootFile*>> MissingFiles(const Sysroot& sysroot, const BootSet& set) {
  std::vector<const BootFile*> missing;
  for (const BootFile& file : set.files) {
    ASSIGN_OR_RETURN(const bool is_whole, HasBootFile(sysroot, set.digest(), {file.sha256.Hex(), file.name}));
    if (!is_whole) missing.push_back(&file);
  }
  return missing;
}

// By something that is no folder.
bool IsTaken(int dir, const std::string& name) {
  struct stat info {};
  return ::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(info.st_mode);
}

// The file, or what is where one of its folders is to be.
Status RemoveBootFile(int set_dir, const std::string& name, OpContext& ctx) {
  for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    const std::string folder = name.substr(0, slash);
    if (IsTaken(set_dir, folder)) return RemoveFile(set_dir, folder, ctx.sys);
  }
  return Exists(set_dir, name) ? RemoveTree(set_dir, name, ctx.sys) : Ok();
}

// The list first, and durably: what a cut leaves of the set is none.
Status RemoveFiles(int set_dir, const std::vector<const BootFile*>& files, OpContext& ctx) {
  TRY(RemoveTree(set_dir, kSumsName, ctx.sys));
  TRY(SyncDir(set_dir, ctx.sys));
  for (const BootFile* file : files) TRY(RemoveBootFile(set_dir, file->name, ctx));
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

Status CheckBootSpace(const Sysroot& sysroot, int sets, const BootSet& set, const std::vector<const BootFile*>& missing,
                      OpContext& ctx) {
  ASSIGN_OR_RETURN(FreeSpace free, FreeSpaceOn(sysroot.boot(), ctx.sys));
  const uint64_t inodes = missing.size() + kFoldersAndSums;
  uint64_t bytes = inodes * kMostBlockBytes;
  for (const BootFile* file : missing) {
    bytes += file->size;
    struct stat replaced {};
    const std::string path = StrCat(set.digest().Hex(), "/", file->name);
    if (::fstatat(sets, path.c_str(), &replaced, AT_SYMLINK_NOFOLLOW) == 0) {
      free.bytes += static_cast<uint64_t>(replaced.st_size);
    }
  }
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
  ASSIGN_OR_RETURN(const bool is_there, HasBootSet(sysroot, set.digest()));
  if (!is_there) return CompleteBootSet(lock, sysroot, store, commit, set, ctx);
  // It may be there since a moment ago, by a run that was interrupted before all of it was durable.
  TRY(SyncFilesystem(sysroot.boot(), ctx.sys));
  Status intact = CheckBootSet(sysroot, set.digest());
  if (intact.ok() || intact.error().code() == Errc::kIo) return intact;
  return Error(intact.error().code(), StrCat(intact.error().message(), "; run: hostapp fsck --repair"));
}

Status CompleteBootSet(const StoreLock& lock, const Sysroot& sysroot, const ImageStore& store,
                       const std::string& commit, const BootSet& set, OpContext& ctx) {
  const HashValue digest = set.digest();
  ASSIGN_OR_RETURN(const std::vector<const BootFile*> missing, MissingFiles(sysroot, set));
  ASSIGN_OR_RETURN(const UniqueFd sets, MakeDirs(sysroot.boot(), kBootSetsDir, 0755, ctx.sys));
  TRY(CheckBootSpace(sysroot, sets.get(), set, missing, ctx));
  if (IsTaken(sets.get(), digest.Hex())) TRY(RemoveFile(sets.get(), digest.Hex(), ctx.sys));
  const int made = ctx.sys.MkdirAt(sets.get(), digest.Hex().c_str(), 0755);
  if (made < 0 && made != -EEXIST) return SysError(-made, StrCat("making the folder of boot set ", digest.Hex()));
  const bool is_new = made >= 0;
  const auto write = [&]() -> Status {
    ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(sets.get(), digest.Hex(), ctx.sys));
    if (!is_new && !missing.empty()) TRY(RemoveFiles(dir.get(), missing, ctx));
    TRY(CopyFiles(dir.get(), store, commit, missing, ctx));
    TRY(SyncFilesystem(sysroot.boot(), ctx.sys));
    // With the list it is a set.
    TRY(WriteUnderItsName(dir.get(), kSumsName, AsBytes(set.Sums()), 0644, ctx.sys));
    return CheckBootSet(sysroot, digest);
  };
  Status status = write();
  if (status.ok()) return Ok();
  // What a sync did not take must not be found and believed by the next run.
  if (is_new) {
    (void)RemoveBootSet(lock, sysroot, digest, ctx);
  } else if (const auto dir = OpenDir(sets.get(), digest.Hex(), ctx.sys); dir.ok()) {
    (void)RemoveFiles(dir->get(), missing, ctx);
  }
  return std::move(status).While("writing the boot set ", digest.Hex().substr(0, 12));
}

}  // namespace hostapp
