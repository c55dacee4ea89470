// SPDX-License-Identifier: Apache-2.0
// System calls of which the n-th fails: for "no path loses the old state".
#pragma once

#include <atomic>
#include <cerrno>
#include <functional>
#include <limits>
#include <string>

#include "hostapp/base/result.h"
#include "hostapp/base/syscalls.h"

namespace hostapp::testing {

// Passes every call on to the real ones and counts it, until the one that is to fail. A failing call changes nothing.
// Thread-safe. Fstatvfs() and an OpenAt() that creates nothing change nothing: neither is counted.
class FaultySyscalls : public Syscalls {
 public:
  enum class Which { kOnlyThat, kThatAndAllAfter };

  // Without a plan: counts only.
  FaultySyscalls() = default;
  // Call number `n` (the first is 1) fails with `sys_errno`.
  FaultySyscalls(int n, int sys_errno, Which which = Which::kOnlyThat)
      : fail_at_(n), sys_errno_(sys_errno), which_(which) {}

  // From now on a write takes at most `bytes` of what it is given.
  void MakeWritesShort(size_t bytes) { most_written_ = bytes; }
  // How many calls there were, the failed ones included.
  int calls() const { return calls_; }
  bool failed() const { return failed_; }
  // The name of the call that failed first, for a test's message.
  std::string failed_call() const { return failed() ? failed_call_.load() : "none"; }

  int OpenAt(int dir, const char* path, int flags, mode_t mode) override;
  ssize_t Write(int fd, const void* bytes, size_t size) override {
    if (Fails("write")) return -sys_errno_;
    return Syscalls::Write(fd, bytes, std::min(size, most_written_));
  }
  ssize_t PwriteAt(int fd, const void* bytes, size_t size, off_t offset) override {
    if (Fails("pwrite")) return -sys_errno_;
    return Syscalls::PwriteAt(fd, bytes, std::min(size, most_written_), offset);
  }
  int Truncate(int fd, off_t size) override { return Fails("ftruncate") ? -sys_errno_ : Syscalls::Truncate(fd, size); }
  int Fallocate(int fd, off_t size) override {
    return Fails("fallocate") ? -sys_errno_ : Syscalls::Fallocate(fd, size);
  }
  int Fsync(int fd) override { return Fails("fsync") ? -sys_errno_ : Syscalls::Fsync(fd); }
  int Ioctl(int fd, unsigned long request, void* argument) override {
    return Fails("ioctl") ? -sys_errno_ : Syscalls::Ioctl(fd, request, argument);
  }
  int Fdatasync(int fd) override { return Fails("fdatasync") ? -sys_errno_ : Syscalls::Fdatasync(fd); }
  int Syncfs(int fd) override { return Fails("syncfs") ? -sys_errno_ : Syscalls::Syncfs(fd); }
  int RenameAt(int old_dir, const char* old_path, int new_dir, const char* new_path, unsigned flags) override {
    return Fails("rename") ? -sys_errno_ : Syscalls::RenameAt(old_dir, old_path, new_dir, new_path, flags);
  }
  int LinkAt(int old_dir, const char* old_path, int new_dir, const char* new_path, int flags) override {
    return Fails("link") ? -sys_errno_ : Syscalls::LinkAt(old_dir, old_path, new_dir, new_path, flags);
  }
  int SymlinkAt(const char* target, int dir, const char* path) override {
    return Fails("symlink") ? -sys_errno_ : Syscalls::SymlinkAt(target, dir, path);
  }
  int UnlinkAt(int dir, const char* path, int flags) override {
    return Fails("unlink") ? -sys_errno_ : Syscalls::UnlinkAt(dir, path, flags);
  }
  int MkdirAt(int dir, const char* path, mode_t mode) override {
    return Fails("mkdir") ? -sys_errno_ : Syscalls::MkdirAt(dir, path, mode);
  }
  // Counted; the machine that runs the tests is not frozen.
  int FreezeAndThaw(int) override { return Fails("freeze") ? -sys_errno_ : 0; }
  int Fchmod(int fd, mode_t mode) override { return Fails("fchmod") ? -sys_errno_ : Syscalls::Fchmod(fd, mode); }
  int Fchown(int fd, uid_t uid, gid_t gid) override {
    return Fails("fchown") ? -sys_errno_ : Syscalls::Fchown(fd, uid, gid);
  }
  int Fsetxattr(int fd, const char* name, const void* value, size_t size) override {
    return Fails("fsetxattr") ? -sys_errno_ : Syscalls::Fsetxattr(fd, name, value, size);
  }
  int Fremovexattr(int fd, const char* name) override {
    return Fails("fremovexattr") ? -sys_errno_ : Syscalls::Fremovexattr(fd, name);
  }
  int Futimens(int fd, const timespec times[2]) override {
    return Fails("futimens") ? -sys_errno_ : Syscalls::Futimens(fd, times);
  }
  int LchownAt(int dir, const char* path, uid_t uid, gid_t gid) override {
    return Fails("fchownat") ? -sys_errno_ : Syscalls::LchownAt(dir, path, uid, gid);
  }
  int LsetxattrAt(int dir, const char* path, const char* name, const void* value, size_t size) override {
    return Fails("lsetxattr") ? -sys_errno_ : Syscalls::LsetxattrAt(dir, path, name, value, size);
  }
  int LutimensAt(int dir, const char* path, const timespec times[2]) override {
    return Fails("utimensat") ? -sys_errno_ : Syscalls::LutimensAt(dir, path, times);
  }

 private:
  bool Fails(const char* call) {
    const int number = ++calls_;
    const bool fails = fail_at_ > 0 && (number == fail_at_ || (number > fail_at_ && which_ == Which::kThatAndAllAfter));
    if (fails && !failed_.exchange(true)) failed_call_ = call;
    return fails;
  }

  int fail_at_ = 0;
  int sys_errno_ = EIO;
  Which which_ = Which::kOnlyThat;
  size_t most_written_ = std::numeric_limits<size_t>::max();
  std::atomic<int> calls_ = 0;
  std::atomic<bool> failed_ = false;
  std::atomic<const char*> failed_call_ = "none";
};

// Runs `operation` with call 1 failing, then call 2, and so on until it runs through without meeting a failure; each
// time `prepare` before it and `check` after it. Returns how many calls the operation makes.
int ForEveryFailingCall(int sys_errno, FaultySyscalls::Which which, const std::function<void()>& prepare,
                        const std::function<Status(Syscalls&)>& operation,
                        const std::function<void(const FaultySyscalls&, const Status&)>& check);

}  // namespace hostapp::testing
