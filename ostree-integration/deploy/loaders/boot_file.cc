// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/boot_file.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {

Result<std::string> ReadPastCache(int dir, const std::string& path, uint64_t max_bytes) {
  if (const UniqueFd fd(::openat(dir, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)); fd.valid()) {
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  }
  return ReadFile(dir, path, max_bytes);
}

Status PutBootFile(int boot, const std::string& folder, const std::string& name, std::string_view content,
                   OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(boot, folder, 0755, ctx.sys));
  TRY(ReplaceFileOnFat(dir.get(), name, AsBytes(content), 0644, ctx.sys));
  TRY(CheckpointFilesystem(dir.get(), ctx.sys));
  const Result<std::string> written = ReadPastCache(dir.get(), name, content.size());
  if (written.ok() && *written == content) return Ok();
  return Error(Errc::kIo, StrCat(folder, "/", name, " is not on the disk as it was written"));
}

}  // namespace hostapp
