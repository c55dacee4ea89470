// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/fd_source.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace hostapp {

Result<size_t> FdSource::Read(MutableByteSpan buffer) {
  const size_t wanted = std::min<uint64_t>(buffer.size(), end_ - std::min(end_, offset_));
  for (;;) {
    const ssize_t got = ::pread(file_, buffer.data(), wanted, static_cast<off_t>(offset_));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading a file");
    offset_ += static_cast<uint64_t>(got);
    return static_cast<size_t>(got);
  }
}

Result<uint64_t> FdSource::Skip(uint64_t size) {
  struct stat info {};
  if (::fstat(file_, &info) != 0) return SysError(errno, "looking at a file");
  const uint64_t end = std::min<uint64_t>(static_cast<uint64_t>(info.st_size), end_);
  const uint64_t skipped = std::min(size, end - std::min(end, offset_));
  offset_ += skipped;
  return skipped;
}

}  // namespace hostapp
