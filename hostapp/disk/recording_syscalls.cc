// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/recording_syscalls.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "hostapp/base/unique_fd.h"

namespace hostapp {

Attributes RecordingSyscalls::AttributesOf(const struct stat& info) const {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find({info.st_dev, info.st_ino});
  // Not setgid: a folder has that from the one above it.
  if (found == records_.end()) return {.mode = info.st_mode & 0777};
  const Record& record = found->second;
  return {.uid = record.uid,
          .gid = record.gid,
          .mode = record.mode.value_or(info.st_mode & 0777),
          .mtime = record.mtime,
          .xattrs = record.xattrs};
}

int RecordingSyscalls::Remember(int fd, const Change& change) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return -errno;
  const std::lock_guard lock(mutex_);
  change(records_[{info.st_dev, info.st_ino}]);
  return 0;
}

int RecordingSyscalls::RememberAt(int dir, const char* path, const Change& change) {
  struct stat info {};
  if (::fstatat(dir, path, &info, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  const std::lock_guard lock(mutex_);
  change(records_[{info.st_dev, info.st_ino}]);
  return 0;
}

std::optional<RecordingSyscalls::Inode> RecordingSyscalls::LastName(int dir, const char* path) {
  struct stat info {};
  if (::fstatat(dir, path, &info, AT_SYMLINK_NOFOLLOW) != 0) return std::nullopt;
  if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) return std::nullopt;
  return Inode{info.st_dev, info.st_ino};
}

// Its number goes to the next new file, which is not to have what this one had.
void RecordingSyscalls::Forget(const std::optional<Inode>& inode) {
  if (!inode) return;
  const std::lock_guard lock(mutex_);
  records_.erase(*inode);
}

int RecordingSyscalls::RenameAt(int old_dir, const char* old_path, int new_dir, const char* new_path, unsigned flags) {
  const std::optional<Inode> replaced = LastName(new_dir, new_path);
  const int result = Syscalls::RenameAt(old_dir, old_path, new_dir, new_path, flags);
  if (result >= 0) Forget(replaced);
  return result;
}

int RecordingSyscalls::UnlinkAt(int dir, const char* path, int flags) {
  const std::optional<Inode> removed = LastName(dir, path);
  const int result = Syscalls::UnlinkAt(dir, path, flags);
  if (result >= 0) Forget(removed);
  return result;
}

int RecordingSyscalls::LinkAt(int old_dir, const char* old_path, int new_dir, const char* new_path, int flags) {
  const int result = Syscalls::LinkAt(old_dir, old_path, new_dir, new_path, flags);
  return result == -EMLINK ? Copy(old_dir, old_path, new_dir, new_path) : result;
}

int RecordingSyscalls::Copy(int old_dir, const char* old_path, int new_dir, const char* new_path) {
  struct stat info {};
  if (::fstatat(old_dir, old_path, &info, AT_SYMLINK_NOFOLLOW) != 0) return -errno;
  if (S_ISLNK(info.st_mode)) {
    std::array<char, PATH_MAX> target{};
    if (::readlinkat(old_dir, old_path, target.data(), target.size() - 1) < 0) return -errno;
    const int made = Syscalls::SymlinkAt(target.data(), new_dir, new_path);
    if (made < 0) return made;
  } else {
    const UniqueFd from(OpenAt(old_dir, old_path, O_RDONLY | O_NOFOLLOW, 0));
    if (!from.valid()) return from.get();
    const UniqueFd to(OpenAt(new_dir, new_path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (!to.valid()) return to.get();
    std::string buffer(size_t{256} << 10, '\0');
    while (true) {
      const ssize_t got = ::read(from.get(), buffer.data(), buffer.size());
      if (got < 0) return -errno;
      if (got == 0) break;
      for (ssize_t written = 0; written < got;) {
        const ssize_t now = Write(to.get(), buffer.data() + written, static_cast<size_t>(got - written));
        if (now <= 0) return now < 0 ? static_cast<int>(now) : -EIO;
        written += now;
      }
    }
  }
  const Attributes same = AttributesOf(info);
  return RememberAt(new_dir, new_path, [&](Record& record) {
    record = {.uid = same.uid, .gid = same.gid, .mode = same.mode, .mtime = same.mtime, .xattrs = same.xattrs};
  });
}

int RecordingSyscalls::Fchmod(int fd, mode_t mode) {
  return Remember(fd, [&](Record& record) { record.mode = mode & 07777; });
}

int RecordingSyscalls::Fchown(int fd, uid_t uid, gid_t gid) {
  return Remember(fd, [&](Record& record) {
    record.uid = uid;
    record.gid = gid;
  });
}

int RecordingSyscalls::Fsetxattr(int fd, const char* name, const void* value, size_t size) {
  return Remember(fd,
                  [&](Record& record) { record.xattrs[name] = std::string(static_cast<const char*>(value), size); });
}

int RecordingSyscalls::Fremovexattr(int fd, const char* name) {
  return Remember(fd, [&](Record& record) { record.xattrs.erase(name); });
}

int RecordingSyscalls::Futimens(int fd, const timespec times[2]) {
  return Remember(fd, [&](Record& record) { record.mtime = times[1].tv_sec; });
}

int RecordingSyscalls::LchownAt(int dir, const char* path, uid_t uid, gid_t gid) {
  return RememberAt(dir, path, [&](Record& record) {
    record.uid = uid;
    record.gid = gid;
  });
}

int RecordingSyscalls::LsetxattrAt(int dir, const char* path, const char* name, const void* value, size_t size) {
  return RememberAt(dir, path,
                    [&](Record& record) { record.xattrs[name] = std::string(static_cast<const char*>(value), size); });
}

int RecordingSyscalls::LutimensAt(int dir, const char* path, const timespec times[2]) {
  return RememberAt(dir, path, [&](Record& record) { record.mtime = times[1].tv_sec; });
}

}  // namespace hostapp
