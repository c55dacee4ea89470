// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/syscalls.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>

namespace hostapp {
namespace {

// Runs a call again while a signal interrupts it; errno comes back as the value.
template <typename Call>
auto Retry(Call call) {
  for (;;) {
    auto result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return static_cast<decltype(result)>(-errno);
  }
}

// For calls that must not be repeated: after a failed fsync the kernel has forgotten the pages.
int Once(int result) { return result >= 0 ? result : -errno; }

}  // namespace

int Syscalls::OpenAt(int dir, const char* path, int flags, mode_t mode) {
  return Retry([&] { return ::openat(dir, path, flags | O_CLOEXEC, mode); });
}
ssize_t Syscalls::Write(int fd, const void* bytes, size_t size) {
  return Retry([&] { return ::write(fd, bytes, size); });
}
ssize_t Syscalls::PwriteAt(int fd, const void* bytes, size_t size, off_t offset) {
  return Retry([&] { return ::pwrite(fd, bytes, size, offset); });
}
int Syscalls::Truncate(int fd, off_t size) {
  return Retry([&] { return ::ftruncate(fd, size); });
}
int Syscalls::Fallocate(int fd, off_t size) {
  return Retry([&] { return ::fallocate(fd, 0, 0, size); });
}
int Syscalls::Fsync(int fd) { return Once(::fsync(fd)); }
int Syscalls::Fdatasync(int fd) { return Once(::fdatasync(fd)); }
int Syscalls::Syncfs(int fd) { return Once(::syncfs(fd)); }
int Syscalls::RenameAt(int old_dir, const char* old_path, int new_dir, const char* new_path, unsigned flags) {
  return Once(::renameat2(old_dir, old_path, new_dir, new_path, flags));
}
int Syscalls::LinkAt(int old_dir, const char* old_path, int new_dir, const char* new_path, int flags) {
  return Once(::linkat(old_dir, old_path, new_dir, new_path, flags));
}
int Syscalls::SymlinkAt(const char* target, int dir, const char* path) { return Once(::symlinkat(target, dir, path)); }
int Syscalls::UnlinkAt(int dir, const char* path, int flags) { return Once(::unlinkat(dir, path, flags)); }
int Syscalls::MkdirAt(int dir, const char* path, mode_t mode) { return Once(::mkdirat(dir, path, mode)); }
int Syscalls::Fchmod(int fd, mode_t mode) { return Once(::fchmod(fd, mode)); }
int Syscalls::Fchown(int fd, uid_t uid, gid_t gid) { return Once(::fchown(fd, uid, gid)); }
int Syscalls::Fsetxattr(int fd, const char* name, const void* value, size_t size) {
  return Once(::fsetxattr(fd, name, value, size, 0));
}
int Syscalls::Futimens(int fd, const timespec times[2]) { return Once(::futimens(fd, times)); }
int Syscalls::LchownAt(int dir, const char* path, uid_t uid, gid_t gid) {
  return Once(::fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW));
}
int Syscalls::LsetxattrAt(int dir, const char* path, const char* name, const void* value, size_t size) {
  // There is no lsetxattrat().
  const std::string full = "/proc/self/fd/" + std::to_string(dir) + "/" + path;
  return Once(::lsetxattr(full.c_str(), name, value, size, 0));
}
int Syscalls::LutimensAt(int dir, const char* path, const timespec times[2]) {
  return Once(::utimensat(dir, path, times, AT_SYMLINK_NOFOLLOW));
}
int Syscalls::Fstatvfs(int fd, struct statvfs* out) {
  return Retry([&] { return ::fstatvfs(fd, out); });
}

Syscalls& RealSyscalls() {
  static Syscalls real;
  return real;
}

}  // namespace hostapp
