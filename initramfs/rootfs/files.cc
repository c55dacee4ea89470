// SPDX-License-Identifier: Apache-2.0
#include "initramfs/rootfs/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace hostapp::initramfs {
namespace {

// The layout of getdents64(2).
struct KernelDirent {
  uint64_t inode;
  int64_t offset;
  uint16_t length;
  uint8_t type;
  char name[1];
};

struct Removal {
  dev_t device;
  uint32_t* budget;

  bool Spend() const {
    if (budget == nullptr) return true;
    errno = EAGAIN;
    return *budget > 0 && (*budget)-- > 0;
  }
};

bool RemoveBelow(int dir_fd, const Removal& removal, int depth);

bool RemoveEntry(int dir_fd, const char* name, const Removal& removal, int depth) {
  struct stat info = {};
  if (fstatat(dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  if (info.st_dev != removal.device) return true;
  if (!removal.Spend()) return false;
  if (!S_ISDIR(info.st_mode)) return unlinkat(dir_fd, name, 0) == 0;
  {
    const Fd child = OpenDirectory(dir_fd, name);
    if (!child.ok() || !RemoveBelow(child.get(), removal, depth + 1)) return false;
  }
  return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0;
}

bool RemoveBelow(int dir_fd, const Removal& removal, int depth) {
  if (depth > kMaxDepth) {
    errno = ELOOP;
    return false;
  }
  bool ok = true;
  DirectoryReader reader(dir_fd);
  for (const char* name = nullptr; reader.Next(name);) {
    ok = RemoveEntry(dir_fd, name, removal, depth) && ok;
    if (removal.budget != nullptr && *removal.budget == 0) break;
  }
  return ok && reader.error() == 0;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    Close();
    fd_ = other.Release();
  }
  return *this;
}

int Fd::Release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void Fd::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Fd OpenAt(int dir, const char* path, int flags) { return Fd(openat(dir, path, flags | O_CLOEXEC | O_NOFOLLOW)); }

Fd OpenDirectory(int dir, const char* path) { return OpenAt(dir, path, O_RDONLY | O_DIRECTORY); }

Fd OpenRegular(int dir, const char* path) {
  Fd fd = OpenAt(dir, path, O_RDONLY | O_NONBLOCK);
  struct stat info = {};
  if (!fd.ok() || (fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode))) return fd;
  fd = Fd();
  errno = EINVAL;
  return fd;
}

bool ReadFileAt(int dir, const char* path, std::span<char> buffer, std::string_view& content) {
  const Fd fd = OpenRegular(dir, path);
  if (!fd.ok()) return false;
  size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got = read(fd.get(), buffer.data() + filled, buffer.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return false;
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  content = {buffer.data(), filled};
  return true;
}

bool WriteAll(int fd, std::span<const char> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

ssize_t PreadAll(int fd, std::span<std::byte> buffer, off_t offset) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got = pread(fd, buffer.data() + filled, buffer.size() - filled, offset + static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(filled);
}

bool PwriteAll(int fd, std::span<const std::byte> bytes, off_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    offset += written;
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

bool EnsureDirectory(int dir, const char* path, mode_t mode) {
  if (mkdirat(dir, path, mode) == 0) return fchmodat(dir, path, mode, 0) == 0;
  return errno == EEXIST && KindAt(dir, path) == EntryKind::kDirectory;
}

EntryKind KindAt(int dir, const char* path) {
  struct stat info = {};
  if (fstatat(dir, path, &info, AT_SYMLINK_NOFOLLOW) != 0) return EntryKind::kMissing;
  if (S_ISDIR(info.st_mode)) return EntryKind::kDirectory;
  if (S_ISLNK(info.st_mode)) return EntryKind::kSymlink;
  return S_ISREG(info.st_mode) ? EntryKind::kFile : EntryKind::kOther;
}

bool ExistsAt(int dir, const char* path) { return KindAt(dir, path) != EntryKind::kMissing; }

bool DirectoryReader::Next(const char*& name) {
  for (;;) {
    if (at_ >= filled_) {
      filled_ = syscall(SYS_getdents64, fd_, buffer_.data(), buffer_.size());
      at_ = 0;
      if (filled_ < 0) error_ = errno;
      if (filled_ <= 0) return false;
    }
    const auto* entry = reinterpret_cast<const KernelDirent*>(buffer_.data() + at_);
    at_ += entry->length;
    name = entry->name;
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) return true;
  }
}

bool IsEmptyDirectory(int dir, const char* path) {
  const Fd fd = OpenDirectory(dir, path);
  if (!fd.ok()) return false;
  DirectoryReader reader(fd.get());
  const char* name = nullptr;
  return !reader.Next(name) && reader.error() == 0;
}

bool RemoveTreeAt(int dir, const char* name, uint32_t* budget) {
  struct stat info = {};
  if (fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return errno == ENOENT;
  return RemoveEntry(dir, name, {.device = info.st_dev, .budget = budget}, 0);
}

bool RemoveContents(int dir_fd) {
  struct stat info = {};
  return fstat(dir_fd, &info) == 0 && RemoveBelow(dir_fd, {.device = info.st_dev, .budget = nullptr}, 0);
}

}  // namespace hostapp::initramfs
