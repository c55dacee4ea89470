// SPDX-License-Identifier: Apache-2.0
#include "tests/support/bad_block.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace {

constexpr int64_t kBlockBytes = 4096;
constexpr int64_t kNone = -1;
int64_t bad_at = kNone;

ssize_t Pread(int fd, void* buffer, size_t size, int64_t offset) {
  if (bad_at != kNone && offset < bad_at + kBlockBytes && offset + static_cast<int64_t>(size) > bad_at) {
    errno = EIO;
    return -1;
  }
  return ::syscall(SYS_pread64, fd, buffer, size, offset);
}

}  // namespace

// In place of the C library's, in the programs that this is linked into.
extern "C" {
ssize_t PreadInstead(int fd, void* buffer, size_t size, int64_t offset) __asm__("pread64");
ssize_t CheckedPreadInstead(int fd, void* buffer, size_t size, int64_t offset, size_t room) __asm__("__pread64_chk");

ssize_t PreadInstead(int fd, void* buffer, size_t size, int64_t offset) { return Pread(fd, buffer, size, offset); }
ssize_t CheckedPreadInstead(int fd, void* buffer, size_t size, int64_t offset, size_t /*room*/) {
  return Pread(fd, buffer, size, offset);
}
}

namespace hostapp {

BadBlock::BadBlock(int64_t number) { bad_at = number * kBlockBytes; }
BadBlock::~BadBlock() { bad_at = kNone; }

}  // namespace hostapp
