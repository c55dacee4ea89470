// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/copy_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "initramfs/rootfs/files.h"

namespace hostapp::initramfs {
namespace {

constexpr std::string_view kOverlayMarks = "trusted.overlay.";
constexpr const char* kOpaque = "trusted.overlay.opaque";

bool IsWhiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

bool IsOpaque(int folder) {
  char value = 0;
  return fgetxattr(folder, kOpaque, &value, 1) == 1 && value == 'y';
}

// One copy with its buffers; a stack frame a level would be too much with them inside.
class Copier {
 public:
  Copier(CopyKind kind, CopyStats& stats, Problem& why) : kind_(kind), stats_(stats), why_(why) {}

  bool Contents(int source, int target, int depth);
  bool Entry(int source, int target, const char* name, int depth);
  bool Merge(int lower, int upper, int target, int depth);
  bool Diff(int lower, int changed, int target, int depth);
  bool Attributes(int source, int target);

 private:
  bool File(int source, int target, const char* name);
  bool Bytes(int source, int target, const char* name);
  bool Link(int source, int target, const char* name, const struct stat& info);
  bool Whiteout(int target, const char* name);
  bool Folder(int source, int target, const char* name, int depth);
  bool Xattrs(int source, int target);
  bool KeepsXattr(std::string_view name) const;
  bool MergeEntry(int lower, int upper, int target, const char* name, int depth);
  bool MergeFolder(int lower, int upper, int target, const char* name, int depth);
  bool DiffEntry(int lower, int changed, int target, const char* name, int depth);
  bool SameEntry(int a, int b, const char* name, const struct stat& info);
  bool SameBytes(int a, int b, const char* name);
  bool SameLink(int a, int b, const char* name);
  bool Fail(const char* doing, const char* name) { return why_.IsErrno(errno, doing, " ", name); }

  CopyKind kind_;
  CopyStats& stats_;
  Problem& why_;
  std::array<char, 65536> names_;
  std::array<char, 65536> value_;
};

// Makes `name` and opens it; its attributes come last, since a folder without write permission must still be filled.
Fd MakeFolder(int target, const char* name) {
  if (mkdirat(target, name, 0700) != 0) return Fd();
  return OpenDirectory(target, name);
}

bool Copier::Contents(int source, int target, int depth) {
  if (depth > kMaxDepth) return why_.Is("copying a tree: more than ", kMaxDepth, " folders deep");
  DirectoryReader reader(source);
  for (const char* name = nullptr; reader.Next(name);) {
    if (!Entry(source, target, name, depth)) return false;
  }
  errno = reader.error();
  return reader.error() == 0 || Fail("reading", "a folder");
}

bool Copier::Entry(int source, int target, const char* name, int depth) {
  struct stat info = {};
  if (fstatat(source, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Fail("copying", name);
  stats_.entries++;
  if (S_ISREG(info.st_mode)) return File(source, target, name);
  if (S_ISDIR(info.st_mode)) return Folder(source, target, name, depth);
  if (S_ISLNK(info.st_mode)) return Link(source, target, name, info);
  if (IsWhiteout(info) && kind_ == CopyKind::kOverlayUpper) return Whiteout(target, name);
  stats_.skipped++;
  return true;
}

bool Copier::Folder(int source, int target, const char* name, int depth) {
  const Fd from = OpenDirectory(source, name);
  const Fd to = from.ok() ? MakeFolder(target, name) : Fd();
  if (!to.ok()) return Fail("copying", name);
  return Contents(from.get(), to.get(), depth + 1) && Attributes(from.get(), to.get());
}

bool Copier::File(int source, int target, const char* name) {
  const Fd from = OpenAt(source, name, O_RDONLY | O_NONBLOCK);
  if (!from.ok()) return Fail("copying", name);
  const Fd to(openat(target, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!to.ok()) return Fail("copying", name);
  return Bytes(from.get(), to.get(), name) && Attributes(from.get(), to.get());
}

bool Copier::Bytes(int source, int target, const char* name) {
  for (;;) {
    const ssize_t sent = sendfile(target, source, nullptr, size_t{1} << 20);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return Fail("copying", name);
    if (sent == 0) return true;
  }
}

bool Copier::Link(int source, int target, const char* name, const struct stat& info) {
  const ssize_t length = readlinkat(source, name, value_.data(), value_.size() - 1);
  if (length < 0) return Fail("copying", name);
  value_[static_cast<size_t>(length)] = '\0';
  if (symlinkat(value_.data(), target, name) != 0) return Fail("copying", name);
  if (fchownat(target, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0) return Fail("owning", name);
  const struct timespec times[] = {info.st_atim, info.st_mtim};
  utimensat(target, name, times, AT_SYMLINK_NOFOLLOW);
  return true;
}

bool Copier::Whiteout(int target, const char* name) {
  return mknodat(target, name, S_IFCHR, makedev(0, 0)) == 0 || Fail("making the whiteout", name);
}

// Owner before mode: a change of owner clears the set-user-id bit.
bool Copier::Attributes(int source, int target) {
  struct stat info = {};
  if (fstat(source, &info) != 0) return Fail("reading", "attributes");
  if (fchown(target, info.st_uid, info.st_gid) != 0) return Fail("setting", "an owner");
  if (fchmod(target, info.st_mode & 07777) != 0) return Fail("setting", "a mode");
  if (!Xattrs(source, target)) return false;
  const struct timespec times[] = {info.st_atim, info.st_mtim};
  return futimens(target, times) == 0 || Fail("setting", "times");
}

bool Copier::KeepsXattr(std::string_view name) const {
  if (!name.starts_with(kOverlayMarks)) return true;
  return kind_ == CopyKind::kOverlayUpper && name == kOpaque;
}

bool Copier::Xattrs(int source, int target) {
  const ssize_t length = flistxattr(source, names_.data(), names_.size());
  if (length < 0 && errno == EOPNOTSUPP) return true;
  if (length < 0) return Fail("listing", "extended attributes");
  for (ssize_t at = 0; at < length;) {
    const char* name = names_.data() + at;
    at += static_cast<ssize_t>(strlen(name)) + 1;
    if (!KeepsXattr(name)) continue;
    const ssize_t size = fgetxattr(source, name, value_.data(), value_.size());
    if (size < 0) return Fail("reading", name);
    if (fsetxattr(target, name, value_.data(), static_cast<size_t>(size), 0) != 0) return Fail("setting", name);
  }
  return true;
}

// ---- what an overlay shows, as plain files

bool Copier::Merge(int lower, int upper, int target, int depth) {
  if (depth > kMaxDepth) return why_.Is("merging a tree: more than ", kMaxDepth, " folders deep");
  DirectoryReader below(lower);
  for (const char* name = nullptr; below.Next(name);) {
    if (!ExistsAt(upper, name) && !Entry(lower, target, name, depth)) return false;
  }
  DirectoryReader above(upper);
  for (const char* name = nullptr; above.Next(name);) {
    if (!MergeEntry(lower, upper, target, name, depth)) return false;
  }
  errno = below.error() != 0 ? below.error() : above.error();
  return errno == 0 || Fail("reading", "a folder");
}

bool Copier::MergeEntry(int lower, int upper, int target, const char* name, int depth) {
  struct stat info = {};
  if (fstatat(upper, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Fail("merging", name);
  if (IsWhiteout(info)) return true;
  const bool both = S_ISDIR(info.st_mode) && KindAt(lower, name) == EntryKind::kDirectory;
  return both ? MergeFolder(lower, upper, target, name, depth) : Entry(upper, target, name, depth);
}

bool Copier::MergeFolder(int lower, int upper, int target, const char* name, int depth) {
  const Fd above = OpenDirectory(upper, name);
  if (above.ok() && IsOpaque(above.get())) return Folder(upper, target, name, depth);
  const Fd below = OpenDirectory(lower, name);
  const Fd to = above.ok() && below.ok() ? MakeFolder(target, name) : Fd();
  if (!to.ok()) return Fail("merging", name);
  return Merge(below.get(), above.get(), to.get(), depth + 1) && Attributes(above.get(), to.get());
}

// ---- what changed, as an overlay's upper folder

bool Copier::Diff(int lower, int changed, int target, int depth) {
  if (depth > kMaxDepth) return why_.Is("comparing trees: more than ", kMaxDepth, " folders deep");
  DirectoryReader now(changed);
  for (const char* name = nullptr; now.Next(name);) {
    if (!DiffEntry(lower, changed, target, name, depth)) return false;
  }
  DirectoryReader before(lower);
  for (const char* name = nullptr; before.Next(name);) {
    if (!ExistsAt(changed, name) && !Whiteout(target, name)) return false;
  }
  errno = now.error() != 0 ? now.error() : before.error();
  return errno == 0 || Fail("reading", "a folder");
}

bool Copier::DiffEntry(int lower, int changed, int target, const char* name, int depth) {
  struct stat info = {};
  if (fstatat(changed, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return Fail("comparing", name);
  const bool both = S_ISDIR(info.st_mode) && KindAt(lower, name) == EntryKind::kDirectory;
  if (!both) return SameEntry(lower, changed, name, info) || Entry(changed, target, name, depth);
  const Fd before = OpenDirectory(lower, name);
  const Fd now = OpenDirectory(changed, name);
  const Fd to = before.ok() && now.ok() ? MakeFolder(target, name) : Fd();
  if (!to.ok()) return Fail("comparing", name);
  return Diff(before.get(), now.get(), to.get(), depth + 1) && Attributes(now.get(), to.get());
}

bool Copier::SameEntry(int a, int b, const char* name, const struct stat& info) {
  struct stat other = {};
  if (fstatat(a, name, &other, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (other.st_mode != info.st_mode || other.st_uid != info.st_uid || other.st_gid != info.st_gid) return false;
  if (S_ISLNK(info.st_mode)) return SameLink(a, b, name);
  return S_ISREG(info.st_mode) && other.st_size == info.st_size && SameBytes(a, b, name);
}

bool Copier::SameLink(int a, int b, const char* name) {
  const ssize_t length_a = readlinkat(a, name, names_.data(), names_.size());
  const ssize_t length_b = readlinkat(b, name, value_.data(), value_.size());
  return length_a > 0 && length_a == length_b &&
         memcmp(names_.data(), value_.data(), static_cast<size_t>(length_a)) == 0;
}

bool Copier::SameBytes(int a, int b, const char* name) {
  const Fd file_a = OpenAt(a, name, O_RDONLY | O_NONBLOCK);
  const Fd file_b = OpenAt(b, name, O_RDONLY | O_NONBLOCK);
  if (!file_a.ok() || !file_b.ok()) return false;
  for (;;) {
    const ssize_t got_a = read(file_a.get(), names_.data(), names_.size());
    const ssize_t got_b = read(file_b.get(), value_.data(), value_.size());
    if (got_a < 0 || got_a != got_b) return false;
    if (got_a == 0) return true;
    if (memcmp(names_.data(), value_.data(), static_cast<size_t>(got_a)) != 0) return false;
  }
}

}  // namespace

bool CopyTree(int source, int target, CopyKind kind, CopyStats& stats, Problem& why) {
  Copier copier(kind, stats, why);
  return copier.Contents(source, target, 0) && copier.Attributes(source, target);
}

bool CopyAttributes(int source, int target, Problem& why) {
  CopyStats stats;
  Copier copier(CopyKind::kPlain, stats, why);
  return copier.Attributes(source, target);
}

bool MergeOverlay(int lower, int upper, int target, CopyStats& stats, Problem& why) {
  Copier copier(CopyKind::kPlain, stats, why);
  return copier.Merge(lower, upper, target, 0) && copier.Attributes(upper, target);
}

bool DiffToUpper(int lower, int changed, int target, CopyStats& stats, Problem& why) {
  Copier copier(CopyKind::kOverlayUpper, stats, why);
  return copier.Diff(lower, changed, target, 0) && copier.Attributes(changed, target);
}

namespace internal {

bool BeginComplete(int scratch, const char* scratch_name, int& folder, Problem& why) {
  if (!RemoveTreeAt(scratch, scratch_name)) return why.IsErrno(errno, "removing the unfinished ", scratch_name);
  folder = MakeFolder(scratch, scratch_name).Release();
  return folder >= 0 || why.IsErrno(errno, "making ", scratch_name);
}

// What was not filled stays where it is: the next boot removes it, and so does everything that cleans hostapp/tmp.
bool FinishComplete(int scratch, const char* scratch_name, int folder, int parent, const char* name, Problem& why) {
  const Fd owned(folder);
  if (scratch_name == nullptr) return true;
  if (syncfs(folder) != 0) return why.IsErrno(errno, "syncing ", scratch_name);
  if (renameat(scratch, scratch_name, parent, name) != 0) return why.IsErrno(errno, "renaming to ", name);
  if (fsync(parent) != 0 || fsync(scratch) != 0) return why.IsErrno(errno, "syncing the folder of ", name);
  return true;
}

}  // namespace internal

}  // namespace hostapp::initramfs
