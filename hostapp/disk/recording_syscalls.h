// SPDX-License-Identifier: Apache-2.0
// System calls of an ordinary user who makes a tree that belongs to root and others.
//
// What only root may do (owners, setuid bits, capabilities and other extended attributes), and times, is not done but
// remembered for the inode; AttributesOf() tells it to who writes the tree into a file system. The files themselves
// stay readable for the user. Nothing is synced: the tree is read once and thrown away.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "hostapp/base/syscalls.h"

namespace hostapp {

using XattrMap = std::map<std::string, std::string>;

// What a file is to have besides its content.
struct Attributes {
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t mode = 0;             // 07777
  std::optional<int64_t> mtime;  // seconds; nothing: whoever asks has one for all
  XattrMap xattrs;
};
using AttributeSource = std::function<Attributes(const struct stat&)>;

// Thread-safe. Of files that others change beside it (libostree), it knows what they are on disk: root's, with the
// ordinary bits of their mode.
class RecordingSyscalls : public Syscalls {
 public:
  Attributes AttributesOf(const struct stat& info) const;

  int Fsync(int) override { return 0; }
  int Fdatasync(int) override { return 0; }
  int Syncfs(int) override { return 0; }
  int FreezeAndThaw(int) override { return 0; }
  int RenameAt(int old_dir, const char* old_path, int new_dir, const char* new_path, unsigned flags) override;
  // An inode that has all the names its file system allows is copied.
  int LinkAt(int old_dir, const char* old_path, int new_dir, const char* new_path, int flags) override;
  int UnlinkAt(int dir, const char* path, int flags) override;
  int Fchmod(int fd, mode_t mode) override;
  int Fchown(int fd, uid_t uid, gid_t gid) override;
  int Fsetxattr(int fd, const char* name, const void* value, size_t size) override;
  int Fremovexattr(int fd, const char* name) override;
  int Futimens(int fd, const timespec times[2]) override;
  int LchownAt(int dir, const char* path, uid_t uid, gid_t gid) override;
  int LsetxattrAt(int dir, const char* path, const char* name, const void* value, size_t size) override;
  int LutimensAt(int dir, const char* path, const timespec times[2]) override;
  // What this file system could (fs-verity), the one that the tree is written into does not have.
  int Ioctl(int, unsigned long, void*) override { return -ENOTTY; }

 private:
  struct Inode {
    dev_t device;
    ino_t number;
    bool operator==(const Inode&) const = default;
  };
  struct InodeHash {
    size_t operator()(const Inode& inode) const { return std::hash<uint64_t>()(inode.number * 31 + inode.device); }
  };
  struct Record {
    uint32_t uid = 0;
    uint32_t gid = 0;
    std::optional<uint32_t> mode;
    std::optional<int64_t> mtime;
    XattrMap xattrs;
  };

  using Change = std::function<void(Record&)>;
  int Remember(int fd, const Change& change);
  int RememberAt(int dir, const char* path, const Change& change);
  // The inode that goes away when this name does.
  static std::optional<Inode> LastName(int dir, const char* path);
  void Forget(const std::optional<Inode>& inode);
  int Copy(int old_dir, const char* old_path, int new_dir, const char* new_path);

  mutable std::mutex mutex_;
  std::unordered_map<Inode, Record, InodeHash> records_;
};

}  // namespace hostapp
