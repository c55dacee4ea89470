// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <cerrno>
#include <utility>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/fd_source.h"
#include "hostapp/layer/pax.h"
#include "hostapp/layer/rootfs_tree.h"

namespace hostapp {
namespace {

using Type = TarEntry::Type;

constexpr size_t kMaxDepth = 1024;

// A file's bytes, with the descriptor they come from.
class OwningFdSource : public ByteSource {
 public:
  explicit OwningFdSource(UniqueFd file) : file_(std::move(file)), source_(file_.get()) {}
  Result<size_t> Read(MutableByteSpan buffer) override { return source_.Read(buffer); }
  Result<uint64_t> Skip(uint64_t size) override { return source_.Skip(size); }

 private:
  UniqueFd file_;
  FdSource source_;
};

// Opens by the path that the walk saw, one component at a time: a link that somebody put there since is not followed.
class DirContent : public ContentReader {
 public:
  explicit DirContent(UniqueFd root) : root_(std::move(root)) {}
  Result<std::unique_ptr<ByteSource>> Open(const RootfsInode& inode) override {
    UniqueFd folder;
    int at = root_.get();
    const std::vector<std::string_view> parts = Split(inode.content_path, '/');
    for (size_t i = 0; i < parts.size(); ++i) {
      const int flags = i + 1 < parts.size() ? O_RDONLY | O_DIRECTORY : O_RDONLY | O_NONBLOCK;
      UniqueFd next(::openat(at, std::string(parts[i]).c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
      if (!next.valid()) return SysError(errno, StrCat("opening ", Escape(inode.content_path)));
      folder = std::move(next);
      at = folder.get();
    }
    return std::unique_ptr<ByteSource>(new OwningFdSource(std::move(folder)));
  }

 private:
  UniqueFd root_;
};

Type TypeOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return Type::kDirectory;
    case S_IFLNK:
      return Type::kSymlink;
    case S_IFCHR:
      return Type::kCharDevice;
    case S_IFBLK:
      return Type::kBlockDevice;
    case S_IFIFO:
      return Type::kFifo;
    default:
      return Type::kFile;
  }
}

class Walk {
 public:
  Walk(dev_t device, RootfsTree& tree, OpContext& ctx) : device_(device), tree_(tree), ctx_(ctx) {}

  Status Folder(int folder, const std::string& path, size_t depth) {
    TRY(ctx_.cancel.Check());
    if (depth > kMaxDepth) return Error(Errc::kInvalid, StrCat(Escape(path), ": deeper than ", kMaxDepth, " folders"));
    ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(folder, "."));
    for (const std::string& name : names) {
      const std::string child = path.empty() ? name : StrCat(path, '/', name);
      TRY(Member(folder, name, child, depth).While("reading ", Escape(child)));
    }
    return Ok();
  }

  Status Add(int folder, const std::string& name, const std::string& path, const struct stat& info) {
    RootfsInode inode;
    TarEntry& entry = inode.entry;
    entry.type = TypeOf(info.st_mode);
    entry.mode = info.st_mode & 07777;
    entry.uid = info.st_uid;
    entry.gid = info.st_gid;
    entry.mtime = tar::ClampTime(info.st_mtim.tv_sec, 0).seconds;
    if (entry.type == Type::kFile) {
      entry.size = static_cast<uint64_t>(info.st_size);
      inode.content_path = path;
    }
    if (entry.type == Type::kCharDevice || entry.type == Type::kBlockDevice) {
      entry.device_major = major(info.st_rdev);
      entry.device_minor = minor(info.st_rdev);
    }
    if (entry.type == Type::kSymlink) {
      ASSIGN_OR_RETURN(entry.link_target, ReadLink(folder, name));
    }
    TRY(ReadXattrs(folder, name, entry));
    return AddToTree(tree_, path, std::move(inode));
  }

 private:
  Status Member(int folder, const std::string& name, const std::string& path, size_t depth) {
    struct stat info {};
    // fstatat and nothing newer: fakeroot answers it.
    if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return SysError(errno, "looking at it");
    if (S_ISSOCK(info.st_mode)) {
      tree_.dropped.push_back(StrCat(Escape(path), ": a socket"));
      return Ok();
    }
    if (info.st_dev != device_) {
      return Error(Errc::kInvalid, "another file system is mounted there; unmount it, or pack a tar");
    }
    if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
      const auto [known, first] = linked_.emplace(info.st_ino, path);
      if (!first && tree_.paths.contains(known->second)) return AddHardlink(tree_, path, known->second);
      known->second = path;
    }
    TRY(Add(folder, name, path, info));
    if (!S_ISDIR(info.st_mode)) return Ok();
    const UniqueFd child(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.valid()) return SysError(errno, "opening the folder");
    return Folder(child.get(), path, depth + 1);
  }

  static Result<std::string> ReadLink(int folder, const std::string& name) {
    char target[4097];
    const ssize_t size = ::readlinkat(folder, name.c_str(), target, sizeof target);
    if (size < 0) return SysError(errno, "reading the link");
    return std::string(target, static_cast<size_t>(size));
  }

  static Status ReadXattrs(int folder, const std::string& name, TarEntry& entry) {
    // By way of /proc, as there is no listxattrat; the last component is not followed.
    const std::string path = StrCat("/proc/self/fd/", folder, "/", name);
    const ssize_t names_size = ::llistxattr(path.c_str(), nullptr, 0);
    if (names_size < 0 && (errno == ENOTSUP || errno == EPERM)) return Ok();
    if (names_size < 0) return SysError(errno, "listing extended attributes");
    std::string names(static_cast<size_t>(names_size), '\0');
    const ssize_t got = ::llistxattr(path.c_str(), names.data(), names.size());
    if (got < 0) return SysError(errno, "listing extended attributes");
    names.resize(static_cast<size_t>(got));
    for (size_t at = 0; at < names.size();) {
      const std::string attribute(names.c_str() + at);
      at += attribute.size() + 1;
      std::string value(65536, '\0');
      const ssize_t size = ::lgetxattr(path.c_str(), attribute.c_str(), value.data(), value.size());
      if (size < 0) return SysError(errno, StrCat("reading the extended attribute ", Escape(attribute)));
      value.resize(static_cast<size_t>(size));
      entry.xattrs.emplace(attribute, std::move(value));
    }
    return Ok();
  }

  dev_t device_;
  RootfsTree& tree_;
  OpContext& ctx_;
  std::map<ino_t, std::string> linked_;
};

}  // namespace

Result<RootfsTree> ReadRootfsDir(const std::string& path, OpContext& ctx) {
  const auto read = [&]() -> Result<RootfsTree> {
    ASSIGN_OR_RETURN(UniqueFd root, OpenDir(AT_FDCWD, path, ctx.sys));
    struct stat info {};
    if (::fstatat(root.get(), ".", &info, 0) != 0) return SysError(errno, "looking at the root");
    RootfsTree tree;
    Walk walk(info.st_dev, tree, ctx);
    TRY(walk.Add(root.get(), ".", "", info));
    TRY(walk.Folder(root.get(), "", 0));
    tree.content = std::make_unique<DirContent>(std::move(root));
    return tree;
  };
  return read().While("reading the root file system ", Escape(path));
}

}  // namespace hostapp
