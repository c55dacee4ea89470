// SPDX-License-Identifier: Apache-2.0
// The system calls that change something durable, behind an interface, so that a test can make the n-th one fail.
#pragma once

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <time.h>

#include <cstddef>
#include <cstdint>

namespace hostapp {

// Thin: the arguments and the result of the system call; below zero is -errno. EINTR is retried inside.
// Reading has no seam: a test that needs bad content writes bad content.
class Syscalls {
 public:
  virtual ~Syscalls() = default;
  // O_CLOEXEC is always added.
  virtual int OpenAt(int dir, const char* path, int flags, mode_t mode);
  virtual ssize_t Write(int fd, const void* bytes, size_t size);
  virtual ssize_t PwriteAt(int fd, const void* bytes, size_t size, off_t offset);
  virtual int Truncate(int fd, off_t size);
  virtual int Fallocate(int fd, off_t size);
  virtual int Fsync(int fd);
  virtual int Fdatasync(int fd);
  virtual int Syncfs(int fd);
  virtual int RenameAt(int old_dir, const char* old_path, int new_dir, const char* new_path, unsigned flags);
  virtual int LinkAt(int old_dir, const char* old_path, int new_dir, const char* new_path, int flags);
  virtual int SymlinkAt(const char* target, int dir, const char* path);
  virtual int UnlinkAt(int dir, const char* path, int flags);
  virtual int MkdirAt(int dir, const char* path, mode_t mode);
  virtual int Fchmod(int fd, mode_t mode);
  virtual int Fchown(int fd, uid_t uid, gid_t gid);
  // FIFREEZE and FITHAW of the file system that holds `fd`: its journal is written out. A child process thaws it if
  // this one is killed in between.
  virtual int FreezeAndThaw(int fd);
  virtual int Fsetxattr(int fd, const char* name, const void* value, size_t size);
  virtual int Fremovexattr(int fd, const char* name);
  virtual int Futimens(int fd, const timespec times[2]);
  // Of the name itself, where it is a symbolic link.
  virtual int LchownAt(int dir, const char* path, uid_t uid, gid_t gid);
  virtual int LsetxattrAt(int dir, const char* path, const char* name, const void* value, size_t size);
  virtual int LutimensAt(int dir, const char* path, const timespec times[2]);
  virtual int Fstatvfs(int fd, struct statvfs* out);
  // Those that change a device or a file system.
  virtual int Ioctl(int fd, unsigned long request, void* argument);
};

// The operating system's own. Stateless.
Syscalls& RealSyscalls();

}  // namespace hostapp
