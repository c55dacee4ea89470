// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/syscalls.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <string>

#include "hostapp/base/unique_fd.h"

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

// The child: waits until its parent says so or is gone, and thaws. Async-signal-safe calls only.
[[noreturn]] void ThawAfterParent(int file, int pipe) {
  char said = 0;
  while (::read(pipe, &said, 1) < 0 && errno == EINTR) {
  }
  if (said == 0) ::ioctl(file, FITHAW, 0);
  ::_exit(0);
}

int FreezeThawWithGuard(int file) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return -errno;
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  // A signal to the whole group (Ctrl-C) must not take the child before it has done its work.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t guard = ::fork();
  if (guard == 0) {
    ::close(ends[1]);
    ::setsid();  // nor SIGKILL to the group
    ThawAfterParent(file, ends[0]);
  }
  const int frozen = guard < 0 ? -errno : Once(::ioctl(file, FIFREEZE, 0));
  const int result = frozen < 0 ? frozen : Once(::ioctl(file, FITHAW, 0));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (guard < 0) return result;
  // The child thaws only what this process froze and could not thaw.
  if (frozen < 0 || result >= 0) (void)!::write(write_end.get(), "k", 1);
  write_end.Reset(-1);
  while (::waitpid(guard, nullptr, 0) < 0 && errno == EINTR) {
  }
  return result;
}

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
int Syscalls::Ioctl(int fd, unsigned long request, void* argument) {
  return Retry([&] { return ::ioctl(fd, request, argument); });
}
int Syscalls::FreezeAndThaw(int fd) { return FreezeThawWithGuard(fd); }
int Syscalls::Fsetxattr(int fd, const char* name, const void* value, size_t size) {
  return Once(::fsetxattr(fd, name, value, size, 0));
}
int Syscalls::Fremovexattr(int fd, const char* name) { return Once(::fremovexattr(fd, name)); }
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
