// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/measure_file.h"

#include <unistd.h>

#include <cerrno>
#include <vector>

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

}  // namespace hostapp
