// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/durable.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <limits>
#include <memory>
#include <thread>

namespace hostapp {
namespace {

constexpr int kFreezeTries = 400;
constexpr std::chrono::milliseconds kFreezePause{25};

Status Check(int result, std::string_view verb, std::string_view name) {
  if (result >= 0) return Ok();
  return SysError(-result, StrCat(verb, " ", Escape(name)));
}

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};

Result<dev_t> DeviceOf(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SysError(errno, "looking at an open folder");
  return info.st_dev;
}

bool IsFat(int fd) {
  struct statfs info {};
  return ::fstatfs(fd, &info) == 0 && info.f_type == MSDOS_SUPER_MAGIC;
}

Status RemoveBelow(int dir, std::string_view name, dev_t device, Syscalls& sys);

Status EmptyDir(int dir, dev_t device, Syscalls& sys) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir, "."));
  for (const std::string& name : names) TRY(RemoveBelow(dir, name, device, sys));
  return Ok();
}

Status RemoveBelow(int dir, std::string_view name, dev_t device, Syscalls& sys) {
  const std::string path(name);
  const int removed = sys.UnlinkAt(dir, path.c_str(), 0);
  if (removed >= 0 || removed == -ENOENT) return Ok();
  if (removed != -EISDIR && removed != -EPERM) return Check(removed, "removing", name);
  UniqueFd child(sys.OpenAt(dir, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0));
  if (!child.valid()) return Check(removed, "removing", name);
  ASSIGN_OR_RETURN(const dev_t child_device, DeviceOf(child.get()));
  if (child_device != device) {
    return Error(Errc::kBusy, StrCat("removing ", Escape(name), ": another file system is mounted there; unmount it"));
  }
  TRY(EmptyDir(child.get(), device, sys));
  return Check(sys.UnlinkAt(dir, path.c_str(), AT_REMOVEDIR), "removing", name);
}

Status WriteNewFile(int dir, const std::string& name, ByteSpan bytes, mode_t mode, Syscalls& sys) {
  // A FIFO of that name is an error, and nothing to wait for.
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
  const UniqueFd file(sys.OpenAt(dir, name.c_str(), kFlags, mode));
  TRY(Check(file.get(), "creating", name));
  // Whatever the umask took away.
  TRY(Check(sys.Fchmod(file.get(), mode), "setting the mode of", name));
  TRY(WriteAll(file.get(), bytes, sys).While("writing ", Escape(name)));
  // There this writes the table of clusters, and not yet which of them the file has: that is to come later. Otherwise a
  // disk that reorders writes can leave a file on clusters that are free, upon which Linux makes the file system
  // read-only when it is removed, and takes them for another file when it is not.
  if (IsFat(dir)) TRY(SyncDir(dir, sys));
  return SyncFile(file.get(), sys).While("syncing ", Escape(name));
}

// The content is on disk, its name is not yet.
Status ReplaceWithNewFile(int dir, std::string_view name, ByteSpan bytes, mode_t mode, Syscalls& sys) {
  const std::string unfinished = StrCat(".", name, ".new");
  Status status = WriteNewFile(dir, unfinished, bytes, mode, sys);
  if (status.ok()) status = Rename(dir, unfinished, dir, name, sys);
  // The error that is reported is the first one; what cannot be removed now is overwritten by the next call.
  if (!status.ok()) (void)RemoveFile(dir, unfinished, sys);
  return status;
}

}  // namespace

Result<UniqueFd> OpenDir(int dir, std::string_view path, Syscalls& sys) {
  UniqueFd fd(sys.OpenAt(dir, std::string(path).c_str(), O_RDONLY | O_DIRECTORY, 0));
  TRY(Check(fd.get(), "opening the folder", path));
  return fd;
}

Result<UniqueFd> MakeDirs(int dir, std::string_view path, mode_t mode, Syscalls& sys) {
  // O_PATH: a folder on the way need only be searchable, as it need for everybody else's programs.
  UniqueFd current(sys.OpenAt(dir, path.starts_with('/') ? "/" : ".", O_PATH | O_DIRECTORY, 0));
  TRY(Check(current.get(), "opening the folder above", path));
  for (const std::string_view part : Split(path, '/')) {
    if (part.empty() || part == ".") continue;
    const std::string name(part);
    const int made = sys.MkdirAt(current.get(), name.c_str(), mode);
    if (made < 0 && made != -EEXIST) return SysError(-made, StrCat("making the folder ", Escape(path)));
    UniqueFd next(sys.OpenAt(current.get(), name.c_str(), O_PATH | O_DIRECTORY, 0));
    TRY(Check(next.get(), "opening the folder", path));
    current = std::move(next);
  }
  UniqueFd made(sys.OpenAt(current.get(), ".", O_RDONLY | O_DIRECTORY, 0));
  TRY(Check(made.get(), "opening the folder", path));
  return made;
}

Result<UniqueFd> OpenRegular(int dir, std::string_view path) {
  UniqueFd fd(::openat(dir, std::string(path).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid() && errno != ELOOP) return SysError(errno, StrCat("opening ", Escape(path)));
  struct stat info {};
  if (fd.valid() && ::fstat(fd.get(), &info) != 0) return SysError(errno, StrCat("looking at ", Escape(path)));
  if (fd.valid() && S_ISREG(info.st_mode)) return fd;
  return Error(Errc::kCorrupt, StrCat(Escape(path), ": no regular file"));
}

Result<std::string> ReadFile(int dir, std::string_view path, uint64_t max_bytes) {
  const UniqueFd fd(::openat(dir, std::string(path).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return SysError(errno, StrCat("opening ", Escape(path)));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return SysError(errno, StrCat("looking at ", Escape(path)));
  if (!S_ISREG(info.st_mode)) return Error(Errc::kCorrupt, StrCat(Escape(path), ": no regular file"));
  std::string out;
  char buffer[16384];
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, StrCat("reading ", Escape(path)));
    if (got == 0) return out;
    out.append(buffer, static_cast<size_t>(got));
    if (out.size() > max_bytes) {
      return Error(Errc::kCorrupt, StrCat(Escape(path), ": more than the ", max_bytes, " bytes allowed"));
    }
  }
}

bool Exists(int dir, std::string_view path) {
  struct stat info {};
  return ::fstatat(dir, std::string(path).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

Result<std::vector<std::string>> ListDir(int dir, std::string_view path) {
  UniqueFd fd(::openat(dir, std::string(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return SysError(errno, StrCat("opening the folder ", Escape(path)));
  const std::unique_ptr<DIR, CloseDir> stream(::fdopendir(fd.get()));
  if (stream == nullptr) return SysError(errno, StrCat("reading the folder ", Escape(path)));
  (void)fd.Release();  // the stream owns it now
  std::vector<std::string> names;
  for (errno = 0; const dirent* entry = ::readdir(stream.get()); errno = 0) {
    const std::string_view name = static_cast<const char*>(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return SysError(errno, StrCat("reading the folder ", Escape(path)));
  std::sort(names.begin(), names.end());
  return names;
}

Status WriteAll(int fd, ByteSpan bytes, Syscalls& sys) {
  while (!bytes.empty()) {
    const ssize_t written = sys.Write(fd, bytes.data(), bytes.size());
    if (written < 0) return SysError(static_cast<int>(-written), "writing");
    // Not what a file does; going on would never end.
    if (written == 0) return SysError(EIO, "writing");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Ok();
}

Status ReplaceFile(int dir, std::string_view name, ByteSpan bytes, mode_t mode, Syscalls& sys) {
  TRY(ReplaceWithNewFile(dir, name, bytes, mode, sys));
  return SyncDir(dir, sys).While("syncing the folder of ", Escape(name));
}

Status WriteUnderItsName(int dir, std::string_view name, ByteSpan bytes, mode_t mode, Syscalls& sys) {
  const std::string path(name);
  struct stat info {};
  const bool is_taken = ::fstatat(dir, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(info.st_mode);
  if (is_taken) TRY(RemoveTree(dir, name, sys));
  Status status = WriteNewFile(dir, path, bytes, mode, sys);
  if (status.ok()) status = SyncDir(dir, sys).While("syncing the folder of ", Escape(name));
  if (!status.ok()) (void)RemoveFile(dir, name, sys);
  return status;
}

Status ReplaceFileOnFat(int dir, std::string_view name, ByteSpan bytes, mode_t mode, Syscalls& sys) {
  TRY(ReplaceWithNewFile(dir, name, bytes, mode, sys));
  const UniqueFd file(sys.OpenAt(dir, std::string(name).c_str(), O_RDONLY | O_NOFOLLOW, 0));
  if (!file.valid()) return SysError(-file.get(), StrCat("opening ", Escape(name)));
  TRY(SyncFile(file.get(), sys).While("syncing ", Escape(name), " under its name"));
  return SyncDir(dir, sys).While("syncing the folder of ", Escape(name));
}

Status OverwriteInPlace(int fd, uint64_t offset, ByteSpan bytes, Syscalls& sys) {
  while (!bytes.empty()) {
    const ssize_t written = sys.PwriteAt(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0) return SysError(static_cast<int>(-written), "overwriting");
    if (written == 0) return SysError(EIO, "overwriting");
    offset += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  const int synced = sys.Fdatasync(fd);
  if (synced < 0) return SysError(-synced, "syncing");
  return Ok();
}

Status SyncFile(int fd, Syscalls& sys) {
  const int synced = sys.Fsync(fd);
  if (synced < 0) return SysError(-synced, "syncing a file");
  return Ok();
}

Status SyncDir(int dir, Syscalls& sys) {
  const int synced = sys.Fsync(dir);
  if (synced < 0) return SysError(-synced, "syncing a folder");
  return Ok();
}

Status SyncFilesystem(int fd, Syscalls& sys) {
  const bool is_fat = IsFat(fd);
  if (is_fat) TRY(SyncDir(fd, sys));  // the table of clusters first, as in WriteNewFile()
  const int synced = sys.Syncfs(fd);
  if (synced < 0) return SysError(-synced, "syncing a file system");
  // Linux's vfat leaves it in the disk's cache then; syncing any folder tells the disk to write that out.
  return is_fat ? SyncDir(fd, sys) : Ok();
}

Status CheckpointFilesystem(int fd, Syscalls& sys) {
  TRY(SyncFilesystem(fd, sys));
  int done = sys.FreezeAndThaw(fd);
  // Somebody else has it frozen: a snapshot is being made, or another process does what we do.
  for (int tries = 1; done == -EBUSY && tries < kFreezeTries; tries++) {
    std::this_thread::sleep_for(kFreezePause);
    done = sys.FreezeAndThaw(fd);
  }
  if (done >= 0 || done == -EOPNOTSUPP || done == -ENOTTY || done == -EPERM || done == -ENOSYS) return Ok();
  return SysError(-done, "freezing a file system, so that boot loaders see what was written to it");
}

Status Rename(int old_dir, std::string_view old_name, int new_dir, std::string_view new_name, Syscalls& sys) {
  return Check(sys.RenameAt(old_dir, std::string(old_name).c_str(), new_dir, std::string(new_name).c_str(), 0),
               "renaming to", new_name);
}

Status RenameNoReplace(int old_dir, std::string_view old_name, int new_dir, std::string_view new_name, Syscalls& sys) {
  const int renamed =
      sys.RenameAt(old_dir, std::string(old_name).c_str(), new_dir, std::string(new_name).c_str(), RENAME_NOREPLACE);
  if (renamed == -EEXIST) return Error(Errc::kBusy, StrCat("renaming to ", Escape(new_name), ": it exists"), EEXIST);
  return Check(renamed, "renaming to", new_name);
}

Status RemoveFile(int dir, std::string_view name, Syscalls& sys) {
  const int removed = sys.UnlinkAt(dir, std::string(name).c_str(), 0);
  if (removed == -ENOENT) return Ok();
  return Check(removed, "removing", name);
}

Status RemoveTree(int dir, std::string_view name, Syscalls& sys) {
  if (dir == AT_FDCWD) {  // which has no descriptor to ask for its file system; a path's is that of the folder it is in
    const size_t slash = name.rfind('/');
    const std::string_view parent = slash == 0 ? "/" : slash == std::string_view::npos ? "." : name.substr(0, slash);
    ASSIGN_OR_RETURN(const UniqueFd fd, OpenDir(AT_FDCWD, parent, sys));
    return RemoveTree(fd.get(), slash == std::string_view::npos ? name : name.substr(slash + 1), sys);
  }
  ASSIGN_OR_RETURN(const dev_t device, DeviceOf(dir));
  return RemoveBelow(dir, name, device, sys);
}

Status RemoveFolder(int dir, std::string_view name, Syscalls& sys) {
  struct stat info {};
  const bool is_folder =
      ::fstatat(dir, std::string(name).c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
  return is_folder ? RemoveTree(dir, name, sys) : Ok();
}

Result<FreeSpace> FreeSpaceOn(int fd, Syscalls& sys) {
  struct statvfs info {};
  const int result = sys.Fstatvfs(fd, &info);
  if (result < 0) return SysError(-result, "asking for the free space");
  const uint64_t inodes = info.f_files == 0 ? std::numeric_limits<uint64_t>::max() : info.f_favail;
  return FreeSpace{.bytes = static_cast<uint64_t>(info.f_bavail) * info.f_frsize, .inodes = inodes};
}

}  // namespace hostapp
