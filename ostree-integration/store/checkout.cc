// SPDX-License-Identifier: Apache-2.0
// A commit's tree as folders and hard links.
//
// libostree's own checkout makes every system call itself, and gives folders to their owners itself: only root could
// make the tree of a disk image with it. This one asks for each change through Syscalls, and links as fast.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>

#include "hostapp/base/durable.h"
#include "ostree-integration/store/object_stage.h"
#include "ostree-integration/store/store_impl.h"
#include "ostree-integration/store/tree_reader.h"
#include "ostree-integration/store/xattrs.h"

namespace hostapp {
namespace {

constexpr size_t kChunk = size_t{256} << 10;

Status Check(int result, std::string_view doing, std::string_view name) {
  if (result >= 0) return Ok();
  return SysError(-result, StrCat(doing, " ", Escape(name)));
}

class Checkouter {
 public:
  Checkouter(const ImageStore& store, OpContext& ctx) : store_(store), ctx_(ctx) {}

  Status Folder(int parent, const TreeFolder& folder);
  Status File(int dir, const TreeFile& file);

 private:
  Status Fill(int dir, const Sha256& tree);
  Status Copy(int dir, const TreeFile& file, const std::string& object);
  Status CopyContent(int from, int to);
  Status CopyXattrs(int from, int to);
  Status TakeAttributes(int dir, const TreeFolder& folder);
  int objects() const { return store_.impl().objects.get(); }

  const ImageStore& store_;
  OpContext& ctx_;
  uint64_t done_ = 0;
};

Status Checkouter::Folder(int parent, const TreeFolder& folder) {
  TRY(ctx_.cancel.Check());
  // Only for ourselves until all is in it.
  TRY(Check(ctx_.sys.MkdirAt(parent, folder.name.c_str(), 0700), "making the folder", folder.name));
  const UniqueFd dir(ctx_.sys.OpenAt(parent, folder.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0));
  TRY(Check(dir.get(), "opening the folder", folder.name));
  TRY(Fill(dir.get(), folder.tree).While(Escape(folder.name)));
  return TakeAttributes(dir.get(), folder);
}

Status Checkouter::Fill(int dir, const Sha256& tree) {
  ASSIGN_OR_RETURN(const TreeContents contents, LoadTree(store_, tree));
  for (const TreeFile& file : contents.files) TRY(File(dir, file));
  done_ += contents.files.size();
  ctx_.progress.Report(
      {.stage = "checkout", .item = {}, .done = done_, .total = {}, .unit = ProgressEvent::Unit::kItems});
  for (const TreeFolder& folder : contents.folders) TRY(Folder(dir, folder));
  return Ok();
}

Status Checkouter::File(int dir, const TreeFile& file) {
  const std::string object = ObjectPath(file.object, "file");
  const int linked = ctx_.sys.LinkAt(objects(), object.c_str(), dir, file.name.c_str(), 0);
  if (linked >= 0) return Ok();
  if (linked == -EMLINK) return Copy(dir, file, object).While("copying ", Escape(file.name));
  return SysError(-linked, StrCat("linking ", Escape(file.name), " to the object ", object));
}

// For an object that has all the names that its file system allows.
Status Checkouter::Copy(int dir, const TreeFile& file, const std::string& object) {
  struct stat info {};
  if (::fstatat(objects(), object.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return SysError(errno, "looking at it");
  const char* name = file.name.c_str();
  if (S_ISLNK(info.st_mode)) {
    std::array<char, PATH_MAX> target{};
    const ssize_t length = ::readlinkat(objects(), object.c_str(), target.data(), target.size() - 1);
    if (length < 0) return SysError(errno, "reading the link");
    TRY(Check(ctx_.sys.SymlinkAt(target.data(), dir, name), "making the link", file.name));
    TRY(Check(ctx_.sys.LchownAt(dir, name, info.st_uid, info.st_gid), "setting the owner of", file.name));
    return Check(ctx_.sys.LutimensAt(dir, name, kNoTime.data()), "setting the time of", file.name);
  }
  const UniqueFd from(ctx_.sys.OpenAt(objects(), object.c_str(), O_RDONLY | O_NOFOLLOW, 0));
  TRY(Check(from.get(), "opening", object));
  const UniqueFd to(ctx_.sys.OpenAt(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(Check(to.get(), "creating", file.name));
  TRY(CopyContent(from.get(), to.get()));
  // Owner first: changing it clears setuid bits and capabilities.
  TRY(Check(ctx_.sys.Fchown(to.get(), info.st_uid, info.st_gid), "setting the owner of", file.name));
  TRY(CopyXattrs(from.get(), to.get()));
  TRY(Check(ctx_.sys.Fchmod(to.get(), info.st_mode & 07777), "setting the mode of", file.name));
  return Check(ctx_.sys.Futimens(to.get(), kNoTime.data()), "setting the time of", file.name);
}

Status Checkouter::CopyContent(int from, int to) {
  std::string buffer(kChunk, '\0');
  while (true) {
    TRY(ctx_.cancel.Check());
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading");
    if (got == 0) return Ok();
    TRY(WriteAll(to, AsBytes(std::string_view(buffer).substr(0, static_cast<size_t>(got))), ctx_.sys));
  }
}

Status Checkouter::CopyXattrs(int from, int to) {
  ASSIGN_OR_RETURN(const Xattrs xattrs, ReadXattrs(from));
  for (const auto& [name, value] : xattrs) {
    TRY(Check(ctx_.sys.Fsetxattr(to, name.c_str(), value.data(), value.size()), "setting the extended attribute",
              name));
  }
  return Ok();
}

Status Checkouter::TakeAttributes(int dir, const TreeFolder& folder) {
  ASSIGN_OR_RETURN(const Inode meta, LoadDirMeta(store_, folder.meta));
  TRY(Check(ctx_.sys.Fchown(dir, meta.uid, meta.gid), "setting the owner of", folder.name));
  for (const auto& [name, value] : meta.xattrs) {
    TRY(Check(ctx_.sys.Fsetxattr(dir, name.c_str(), value.data(), value.size()),
              StrCat("setting the extended attribute ", Escape(name), " of"), folder.name));
  }
  TRY(Check(ctx_.sys.Fchmod(dir, meta.mode), "setting the mode of", folder.name));
  return Check(ctx_.sys.Futimens(dir, kNoTime.data()), "setting the time of", folder.name);
}

}  // namespace

Status CheckoutFile(const ImageStore& store, const TreeFile& file, int dir, OpContext& ctx) {
  return Checkouter(store, ctx).File(dir, file);
}

Status Checkout(const ImageStore& store, std::string_view commit, int parent_fd, std::string_view name,
                OpContext& ctx) {
  TRY(ctx.cancel.Check());
  const std::string doing = StrCat("checking out ", commit.substr(0, 12), " as ", Escape(name));
  if (Exists(parent_fd, name)) {
    return Error(Errc::kBusy, StrCat(doing, ": something has that name already"));
  }
  ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(commit));
  ASSIGN_OR_RETURN(const CommitRoot root, LoadCommitRoot(store, id).While(doing));
  const TreeFolder top{.name = std::string(name), .tree = root.tree, .meta = root.meta};
  TRY(Checkouter(store, ctx).Folder(parent_fd, top).While(doing));
  return SyncFilesystem(parent_fd, ctx.sys).While("making the checkout ", Escape(name), " durable");
}

}  // namespace hostapp
