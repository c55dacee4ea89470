// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/rootfs_tree.h"

#include "hostapp/base/strings.h"
#include "hostapp/layer/layer_rules.h"
#include "hostapp/layer/member_path.h"

namespace hostapp {
namespace {

using Type = TarEntry::Type;

Status CheckParents(const RootfsTree& tree, const std::string& path) {
  for (std::string parent = ParentOf(path); !parent.empty(); parent = ParentOf(parent)) {
    const auto found = tree.paths.find(parent);
    if (found == tree.paths.end()) continue;
    if (found->second->entry.type == Type::kDirectory) return Ok();
    return Error(Errc::kCorrupt, StrCat(Escape(path), ": below ", Escape(parent), ", which is no folder"));
  }
  return Ok();
}

void EraseBelow(RootfsTree& tree, const std::string& path) {
  const std::string prefix = path + "/";
  auto at = tree.paths.lower_bound(prefix);
  while (at != tree.paths.end() && at->first.starts_with(prefix)) at = tree.paths.erase(at);
}

Status PlaceInode(RootfsTree& tree, const std::string& path, std::shared_ptr<RootfsInode> inode) {
  TRY(CheckParents(tree, path));
  if (inode->entry.type != Type::kDirectory) EraseBelow(tree, path);
  tree.paths[path] = std::move(inode);
  return Ok();
}

}  // namespace

Status AddToTree(RootfsTree& tree, const std::string& path, RootfsInode inode) {
  inode.entry.path = path;
  if (const auto reason = ReasonToDrop(inode.entry)) {
    tree.dropped.push_back(StrCat(Escape(path), ": ", *reason));
    return Ok();
  }
  ASSIGN_OR_RETURN(const Whiteout whiteout, ClassifyWhiteout(inode.entry));
  if (whiteout.kind != Whiteout::Kind::kNone) {
    return Error(Errc::kCorrupt, StrCat(Escape(path), ": a root file system cannot have a file named like a whiteout"));
  }
  ASSIGN_OR_RETURN(FilteredXattrs xattrs, FilterXattrs(inode.entry));
  for (const std::string& name : xattrs.dropped) {
    tree.dropped.push_back(StrCat(Escape(path), ": the extended attribute ", Escape(name)));
  }
  inode.entry.xattrs = std::move(xattrs.kept);
  // An image's times are whole seconds, and its inodes have no names.
  inode.entry.mtime_nanos = 0;
  inode.entry.path.clear();
  return PlaceInode(tree, path, std::make_shared<RootfsInode>(std::move(inode)));
}

Status AddHardlink(RootfsTree& tree, const std::string& path, const std::string& target) {
  TarEntry named;
  named.path = path;
  if (const auto reason = ReasonToDrop(named)) {
    tree.dropped.push_back(StrCat(Escape(path), ": ", *reason));
    return Ok();
  }
  const auto found = tree.paths.find(target);
  if (found == tree.paths.end() || found->second->entry.type == Type::kDirectory) {
    return Error(Errc::kCorrupt, StrCat(Escape(path), ": a hard link to ", Escape(target), ", which is no file here"));
  }
  return PlaceInode(tree, path, std::shared_ptr<RootfsInode>(found->second));
}

void AddMissingFolders(RootfsTree& tree) {
  std::vector<std::string> missing = {""};
  for (const auto& [path, inode] : tree.paths) {
    for (std::string parent = ParentOf(path); !parent.empty() && !tree.paths.contains(parent);
         parent = ParentOf(parent)) {
      missing.push_back(parent);
    }
  }
  for (const std::string& path : missing) {
    if (tree.paths.contains(path)) continue;
    auto inode = std::make_shared<RootfsInode>();
    inode->entry.type = Type::kDirectory;
    inode->entry.mode = 0755;
    tree.paths.emplace(path, std::move(inode));
  }
}

}  // namespace hostapp
