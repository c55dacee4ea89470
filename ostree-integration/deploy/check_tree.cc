// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/check_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/read_file.h"
#include "ostree-integration/deploy/root_file.h"

namespace hostapp {
namespace {

struct Walk {
  const ImageStore& store;
  const std::string& commit;
  TreeRepair repair;
  OpContext& ctx;
  std::vector<TreeProblem> problems;
};

constexpr const char* kUnfinished = ".hostapp-repair";

std::string Below(const std::string& dir, const std::string& name) {
  return dir.empty() ? name : StrCat(dir, "/", name);
}

// Equal content, for a file that is a copy of its object (an empty one, or one over the limit of links).
Result<bool> SameContent(int dir, const std::string& name, int object) {
  const UniqueFd file(::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return SysError(errno, "opening");
  ASSIGN_OR_RETURN(const MeasuredFile here, MeasureFile(file.get()));
  ASSIGN_OR_RETURN(const MeasuredFile there, MeasureFile(object));
  return here.sha256 == there.sha256;
}

// What is wrong with a file, in words; empty: nothing.
Result<std::string> FileProblem(Walk& walk, int dir, const std::string& path, const TreeEntry& entry) {
  struct stat info {};
  if (::fstatat(dir, entry.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return std::string("missing");
  if (!S_ISREG(info.st_mode)) return std::string("no regular file");
  if ((info.st_mode & 07777) != entry.mode) return std::string("its mode is not the image's");
  if (static_cast<uint64_t>(info.st_size) != entry.size) return std::string("its size is not the image's");
  ASSIGN_OR_RETURN(const UniqueFd object, OpenFile(walk.store, walk.commit, path));
  struct stat stored {};
  if (::fstat(object.get(), &stored) != 0) return SysError(errno, "looking at an object");
  if (stored.st_ino == info.st_ino && stored.st_dev == info.st_dev) return std::string();
  ASSIGN_OR_RETURN(const bool same, SameContent(dir, entry.name, object.get()));
  return std::string(same ? "" : "its content is not the image's");
}

Status RelinkFile(Walk& walk, int dir, const std::string& path, const TreeEntry& entry) {
  ASSIGN_OR_RETURN(const UniqueFd object, OpenFile(walk.store, walk.commit, path));
  const std::string unfinished = kUnfinished;
  TRY(RemoveFile(dir, unfinished, walk.ctx.sys));
  const int linked = walk.ctx.sys.LinkAt(AT_FDCWD, StrCat("/proc/self/fd/", object.get()).c_str(), dir,
                                         unfinished.c_str(), AT_SYMLINK_FOLLOW);
  if (linked < 0) return SysError(-linked, "linking an object");
  TRY(Rename(dir, unfinished, dir, entry.name, walk.ctx.sys));
  return SyncDir(dir, walk.ctx.sys);
}

std::string LinkProblem(int dir, const TreeEntry& entry) {
  std::string target(entry.link_target.size() + 1, '\0');
  const ssize_t length = ::readlinkat(dir, entry.name.c_str(), target.data(), target.size());
  if (length < 0) return errno == ENOENT ? "missing" : "no symbolic link";
  target.resize(static_cast<size_t>(length));
  return target == entry.link_target ? "" : "it points elsewhere";
}

Status RemakeLink(Walk& walk, int dir, const TreeEntry& entry) {
  TRY(RemoveTree(dir, entry.name, walk.ctx.sys));
  const int made = walk.ctx.sys.SymlinkAt(entry.link_target.c_str(), dir, entry.name.c_str());
  if (made < 0) return SysError(-made, "making a symbolic link");
  return SyncDir(dir, walk.ctx.sys);
}

void Note(Walk& walk, const std::string& path, std::string what, const Status& mended) {
  const bool repaired = walk.repair == TreeRepair::kYes && mended.ok();
  if (walk.repair == TreeRepair::kYes && !mended.ok()) what += StrCat("; mending it: ", mended.error().message());
  walk.problems.push_back({path, std::move(what), repaired});
}

Status CheckDir(Walk& walk, int dir, const std::string& path);

Status CheckSubdir(Walk& walk, int dir, const std::string& path, const TreeEntry& entry) {
  const UniqueFd child(::openat(dir, entry.name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child.valid()) {
    walk.problems.push_back({path, "the folder is missing; deploy the image again", false});
    return Ok();
  }
  return CheckDir(walk, child.get(), path);
}

Status CheckEntry(Walk& walk, int dir, const std::string& path, const TreeEntry& entry) {
  switch (entry.type) {
    case TreeEntry::Type::kDirectory:
      return CheckSubdir(walk, dir, path, entry);
    case TreeEntry::Type::kSymlink:
      if (std::string what = LinkProblem(dir, entry); !what.empty()) {
        const Status mended = walk.repair == TreeRepair::kYes ? RemakeLink(walk, dir, entry) : Ok();
        Note(walk, path, std::move(what), mended);
      }
      return Ok();
    case TreeEntry::Type::kFile: {
      Result<std::string> what = FileProblem(walk, dir, path, entry);
      // Its object is missing from the store: the store's own check says so, and nothing can be linked.
      if (!what.ok() && what.error().code() == Errc::kNotFound) return Ok();
      if (!what.ok()) return std::move(what).While(Escape(path)).error();
      if (what->empty()) return Ok();
      const Status mended = walk.repair == TreeRepair::kYes ? RelinkFile(walk, dir, path, entry) : Ok();
      Note(walk, path, *std::move(what), mended);
      return Ok();
    }
  }
  return Ok();
}

void NoteStrangers(Walk& walk, const std::string& path, const std::vector<std::string>& names,
                   const std::vector<TreeEntry>& entries) {
  for (const std::string& name : names) {
    const bool known = std::binary_search(entries.begin(), entries.end(), TreeEntry{.name = name},
                                          [](const TreeEntry& a, const TreeEntry& b) { return a.name < b.name; });
    if (!known) walk.problems.push_back({Below(path, name), "it is not in the image", false});
  }
}

Status CheckDir(Walk& walk, int dir, const std::string& path) {
  TRY(walk.ctx.cancel.Check());
  ASSIGN_OR_RETURN(const std::vector<TreeEntry> entries, ListTree(walk.store, walk.commit, path));
  for (const TreeEntry& entry : entries) TRY(CheckEntry(walk, dir, Below(path, entry.name), entry));
  if (walk.repair == TreeRepair::kYes) TRY(RemoveFile(dir, kUnfinished, walk.ctx.sys));  // an interrupted repair's
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir, "."));
  NoteStrangers(walk, path, names, entries);
  return Ok();
}

}  // namespace

Result<std::vector<TreeProblem>> CheckTree(const Sysroot& sysroot, const ImageStore& store,
                                           const Deployment& deployment, TreeRepair repair, OpContext& ctx) {
  if (deployment.composefs) return CheckRootFile(sysroot, store, deployment, repair, ctx);
  Walk walk{.store = store, .commit = deployment.commit, .repair = repair, .ctx = ctx, .problems = {}};
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, deployment.serial, ctx));
  const UniqueFd root(::openat(dir.get(), "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root.valid()) return std::vector<TreeProblem>{{"root", "the folder is missing; deploy the image again", false}};
  TRY(CheckDir(walk, root.get(), "").While("checking the tree of deployment ", deployment.serial));
  return std::move(walk.problems);
}

}  // namespace hostapp
