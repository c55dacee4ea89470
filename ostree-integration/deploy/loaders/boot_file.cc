// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/boot_file.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

Status CheckWritten(int dir, const std::string& folder, const std::string& name, std::string_view content,
                    OpContext& ctx) {
  TRY(CheckpointFilesystem(dir, ctx.sys));
  const Result<std::string> written = ReadPastCache(dir, name, content.size());
  if (written.ok() && *written == content) return Ok();
  return Error(Errc::kIo, StrCat(folder, "/", name, " is not on the disk as it was written"));
}

}  // namespace

Result<std::string> ReadPastCache(int dir, const std::string& path, uint64_t max_bytes) {
  if (const auto fd = OpenRegular(dir, path); fd.ok()) ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_DONTNEED);
  return ReadFile(dir, path, max_bytes);
}

Result<UniqueFd> MakeBootDirs(int boot, const std::string& path, OpContext& ctx) {
  const bool is_new = !Exists(boot, path);
  ASSIGN_OR_RETURN(UniqueFd dir, MakeDirs(boot, path, 0755, ctx.sys));
  if (is_new) TRY(SyncFilesystem(boot, ctx.sys));
  return dir;
}

Status RemoveSummedFolder(int dir, const std::string& name, OpContext& ctx) {
  if (!Exists(dir, name)) return Ok();
  if (Exists(dir, StrCat(name, "/", kSumsName))) {
    ASSIGN_OR_RETURN(const UniqueFd folder, OpenDir(dir, name, ctx.sys));
    TRY(RemoveFile(folder.get(), kSumsName, ctx.sys));
    TRY(SyncDir(folder.get(), ctx.sys));
  }
  TRY(RemoveTree(dir, name, ctx.sys));
  return SyncDir(dir, ctx.sys);
}

Status WriteBootFile(int boot, const std::string& folder, const std::string& name, std::string_view content,
                     OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeBootDirs(boot, folder, ctx));
  TRY(WriteUnderItsName(dir.get(), name, AsBytes(content), 0644, ctx.sys));
  return CheckWritten(dir.get(), folder, name, content, ctx);
}

Status ReplaceBootFile(int boot, const std::string& folder, const std::string& name, std::string_view content,
                       OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeBootDirs(boot, folder, ctx));
  TRY(ReplaceFileOnFat(dir.get(), name, AsBytes(content), 0644, ctx.sys));
  return CheckWritten(dir.get(), folder, name, content, ctx);
}

}  // namespace hostapp
