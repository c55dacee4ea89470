// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/read_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {

Status ForEachChunk(int fd, const std::function<Status(ByteSpan)>& use) {
  std::vector<std::byte> buffer(size_t{256} << 10);
  for (off_t at = 0;;) {
    const ssize_t got = ::pread(fd, buffer.data(), buffer.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading");
    if (got == 0) return Ok();
    TRY(use(ByteSpan(buffer.data(), static_cast<size_t>(got))));
    at += got;
  }
}

Result<MeasuredFile> MeasureFile(int fd) {
  MeasuredFile out;
  Hasher hasher;
  TRY(ForEachChunk(fd, [&](ByteSpan bytes) {
    hasher.Update(bytes);
    out.size += bytes.size();
    return Ok();
  }));
  out.sha256 = hasher.Finish();
  return out;
}

Result<std::string> ReadImageFile(const ImageStore& store, std::string_view commit, const std::string& path,
                                  uint64_t max_bytes) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(store, commit, path));
  return ReadFile(AT_FDCWD, StrCat("/proc/self/fd/", fd.get()), max_bytes).While("reading ", Escape(path));
}

}  // namespace hostapp
