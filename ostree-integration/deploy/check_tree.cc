// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/check_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <optional>
#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/attributes.h"
#include "ostree-integration/deploy/read_file.h"
#include "ostree-integration/deploy/root_file.h"
#include "ostree-integration/store/tree_reader.h"

namespace hostapp {
namespace {

struct Walk {
  const ImageStore& store;
  TreeRepair repair;
  OpContext& ctx;
  std::vector<TreeProblem> problems;

  int objects() const { return store.impl().objects.get(); }
};

constexpr const char* kUnfinished = ".hostapp-repair";

std::string Below(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : StrCat(dir, "/", name);
}

// A file or link as the store has it.
struct StoredObject {
  std::string path;  // below `objects`
  struct stat info {};
};

// Nothing where it is missing or something else: the store's own check says so, and nothing can be linked.
std::optional<StoredObject> FindObject(const Walk& walk, const TreeFile& file) {
  StoredObject object{.path = ObjectPath(file.object, kFileExtension)};
  if (::fstatat(walk.objects(), object.path.c_str(), &object.info, AT_SYMLINK_NOFOLLOW) != 0) return {};
  if (!S_ISREG(object.info.st_mode) && !S_ISLNK(object.info.st_mode)) return {};
  return object;
}

Result<UniqueFd> OpenToRead(int dir, const std::string& name) {
  UniqueFd file(::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!file.valid()) return SysError(errno, StrCat("opening ", Escape(name)));
  return file;
}

Result<std::string> ReadLink(int dir, const std::string& name) {
  std::string target(PATH_MAX, '\0');
  const ssize_t length = ::readlinkat(dir, name.c_str(), target.data(), target.size());
  if (length < 0) return SysError(errno, StrCat("reading the link ", Escape(name)));
  target.resize(static_cast<size_t>(length));
  return target;
}

// What is wrong inside a file that is not its object, in words; empty: nothing, it is a copy (of an object over the
// limit of links). One from before the object was damaged and imported again has the damage still.
Result<std::string> CopyProblem(const Walk& walk, int dir, const std::string& name, const StoredObject& object) {
  ASSIGN_OR_RETURN(const UniqueFd file, OpenToRead(dir, name));
  ASSIGN_OR_RETURN(const UniqueFd stored, OpenToRead(walk.objects(), object.path));
  ASSIGN_OR_RETURN(const Xattrs xattrs, ImageXattrs(file.get()));
  ASSIGN_OR_RETURN(const Xattrs wanted, ImageXattrs(stored.get()));
  if (xattrs != wanted) return std::string("its extended attributes are not the image's");
  ASSIGN_OR_RETURN(const MeasuredFile here, MeasureFile(file.get()));
  ASSIGN_OR_RETURN(const MeasuredFile there, MeasureFile(stored.get()));
  return std::string(here.sha256 == there.sha256 ? "" : "its content is not the image's");
}

Result<std::string> LinkProblem(const Walk& walk, int dir, const std::string& name, const StoredObject& object) {
  ASSIGN_OR_RETURN(const std::string here, ReadLink(dir, name));
  ASSIGN_OR_RETURN(const std::string there, ReadLink(walk.objects(), object.path));
  return std::string(here == there ? "" : "it points elsewhere");
}

// What is wrong with a file or link. Most are the object itself, which was verified in the store: nothing is opened.
Result<std::string> FileProblem(const Walk& walk, int dir, const std::string& name, const StoredObject& object) {
  const struct stat& wanted = object.info;
  struct stat info {};
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return std::string("missing");
  if (info.st_ino == wanted.st_ino && info.st_dev == wanted.st_dev) return std::string();
  if ((info.st_mode & S_IFMT) != (wanted.st_mode & S_IFMT)) {
    return std::string(S_ISLNK(wanted.st_mode) ? "no symbolic link" : "no regular file");
  }
  if (info.st_uid != wanted.st_uid || info.st_gid != wanted.st_gid) return std::string("its owner is not the image's");
  if (S_ISLNK(wanted.st_mode)) return LinkProblem(walk, dir, name, object);
  if ((info.st_mode & 07777) != (wanted.st_mode & 07777)) return std::string("its mode is not the image's");
  if (info.st_size != wanted.st_size) return std::string("its size is not the image's");
  return CopyProblem(walk, dir, name, object);
}

// Takes the name at once, but from a folder: no file can be renamed over one.
Status Relink(const Walk& walk, int dir, const TreeFile& file) {
  Syscalls& sys = walk.ctx.sys;
  TRY(RemoveTree(dir, kUnfinished, sys));
  TRY(CheckoutFile(walk.store, {.name = kUnfinished, .object = file.object}, dir, walk.ctx));
  // A copy must be whole before it has the name; a link of the object is.
  if (const Result<UniqueFd> made = OpenRegular(dir, kUnfinished); made.ok()) TRY(SyncFile(made->get(), sys));
  TRY(RemoveFolder(dir, file.name, sys));
  TRY(Rename(dir, kUnfinished, dir, file.name, sys));
  return SyncDir(dir, sys);
}

void Note(Walk& walk, const std::string& path, std::string what, const Status& mended) {
  const bool repaired = walk.repair == TreeRepair::kYes && mended.ok();
  if (walk.repair == TreeRepair::kYes && !mended.ok()) what += StrCat("; mending it: ", mended.error().message());
  walk.problems.push_back({path, std::move(what), repaired});
}

Status CheckFile(Walk& walk, int dir, const std::string& path, const TreeFile& file) {
  const std::optional<StoredObject> object = FindObject(walk, file);
  if (!object) return Ok();
  ASSIGN_OR_RETURN(std::string what, FileProblem(walk, dir, file.name, *object).While(Escape(path)));
  if (what.empty()) return Ok();
  const Status mended = walk.repair == TreeRepair::kYes ? Relink(walk, dir, file) : Ok();
  Note(walk, path, std::move(what), mended);
  return Ok();
}

Status CheckAttributes(Walk& walk, int dir, const std::string& path, const TreeFolder& folder) {
  ASSIGN_OR_RETURN(const Inode wanted, LoadDirMeta(walk.store, folder.meta));
  ASSIGN_OR_RETURN(std::string what, FolderProblem(dir, wanted).While(Escape(path)));
  if (what.empty()) return Ok();
  const Status mended = walk.repair == TreeRepair::kYes ? MendFolder(dir, wanted, walk.ctx) : Ok();
  Note(walk, path, std::move(what), mended);
  return Ok();
}

Status CheckFolder(Walk& walk, int dir, const std::string& path, const TreeFolder& folder);

Status CheckSubdir(Walk& walk, int dir, const std::string& path, const TreeFolder& folder) {
  const UniqueFd child(::openat(dir, folder.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child.valid()) {
    walk.problems.push_back({path, "the folder is missing; deploy the image again", false});
    return Ok();
  }
  return CheckFolder(walk, child.get(), path, folder);
}

void NoteStrangers(Walk& walk, const std::string& path, const std::vector<std::string>& names,
                   const TreeContents& contents) {
  std::set<std::string_view> known;
  for (const TreeFile& file : contents.files) known.insert(file.name);
  for (const TreeFolder& folder : contents.folders) known.insert(folder.name);
  for (const std::string& name : names) {
    if (!known.contains(name)) walk.problems.push_back({Below(path, name), "it is not in the image", false});
  }
}

// Each tree object is read once, by its own name: looked up from the commit, a folder cost as much as its whole tree
// for each of its files.
Status CheckFolder(Walk& walk, int dir, const std::string& path, const TreeFolder& folder) {
  TRY(walk.ctx.cancel.Check());
  TRY(CheckAttributes(walk, dir, path.empty() ? "/" : path, folder));
  ASSIGN_OR_RETURN(const TreeContents contents, LoadTree(walk.store, folder.tree));
  for (const TreeFile& file : contents.files) TRY(CheckFile(walk, dir, Below(path, file.name), file));
  for (const TreeFolder& below : contents.folders) TRY(CheckSubdir(walk, dir, Below(path, below.name), below));
  if (walk.repair == TreeRepair::kYes) TRY(RemoveTree(dir, kUnfinished, walk.ctx.sys));  // an interrupted repair's
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir, "."));
  NoteStrangers(walk, path, names, contents);
  return Ok();
}

}  // namespace

Result<std::vector<TreeProblem>> CheckTree(const Sysroot& sysroot, const ImageStore& store,
                                           const Deployment& deployment, TreeRepair repair, OpContext& ctx) {
  if (deployment.composefs) return CheckRootFile(sysroot, store, deployment, repair, ctx);
  Walk walk{.store = store, .repair = repair, .ctx = ctx, .problems = {}};
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, deployment.serial, ctx));
  const UniqueFd root(::openat(dir.get(), "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root.valid()) return std::vector<TreeProblem>{{"root", "the folder is missing; deploy the image again", false}};
  const std::string doing = StrCat("checking the tree of deployment ", deployment.serial);
  ASSIGN_OR_RETURN(const Sha256 commit, ToObjectId(deployment.commit));
  ASSIGN_OR_RETURN(const CommitRoot top, LoadCommitRoot(store, commit).While(doing));
  TRY(CheckFolder(walk, root.get(), "", {.name = "root", .tree = top.tree, .meta = top.meta}).While(doing));
  return std::move(walk.problems);
}

}  // namespace hostapp
