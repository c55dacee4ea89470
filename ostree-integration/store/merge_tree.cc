// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/merge_tree.h"

#include "hostapp/base/strings.h"
#include "ostree-integration/store/mount_points.h"
#include "ostree-integration/store/whiteout.h"

namespace hostapp {
namespace {

using Children = decltype(Node::children);

Status Apply(Node& lower, Node&& upper, const std::string& path);

void Hide(Node& lower, const Node& upper) {
  if (upper.children.contains(kOpaqueName)) lower.children.clear();
  for (const auto& [name, marker] : upper.children) {
    if (!IsWhiteout(name) || name == kOpaqueName) continue;
    if (const auto hidden = lower.children.find(WhiteoutTarget(name)); hidden != lower.children.end()) {
      lower.children.erase(hidden);
    }
  }
}

// What is new is taken as it is, but for the marks in it, which hide nothing there.
void DropMarks(Node& node) {
  std::erase_if(node.children, [](const auto& child) { return IsWhiteout(child.first); });
  for (auto& [name, child] : node.children) DropMarks(child);
}

Status ApplyChild(Node& lower, Children::node_type child, const std::string& path) {
  const auto found = lower.children.lower_bound(child.key());
  Node& upper = child.mapped();
  if (found == lower.children.end() || found->first != child.key()) {
    DropMarks(upper);
    lower.children.insert(found, std::move(child));
    return Ok();
  }
  Node& there = found->second;
  const std::string here = path.empty() ? child.key() : StrCat(path, '/', child.key());
  if (upper.is_dir() && !there.is_dir() && upper.inode->implied) {
    return Error(Errc::kCorrupt, StrCat("the layer has members below ", Escape(here),
                                        ", which a lower layer made a file or link, without a folder entry for it"));
  }
  if (!upper.is_dir() || !there.is_dir()) {
    DropMarks(upper);
    there = std::move(upper);
    return Ok();
  }
  if (!upper.inode->implied) there.inode = upper.inode;
  return Apply(there, std::move(upper), here);
}

Status Apply(Node& lower, Node&& upper, const std::string& path) {
  Hide(lower, upper);
  while (!upper.children.empty()) {
    Children::node_type child = upper.children.extract(upper.children.begin());
    if (!IsWhiteout(child.key())) TRY(ApplyChild(lower, std::move(child), path));
  }
  return Ok();
}

Error NoHost(std::string_view path, std::string_view rule) {
  return Error(Errc::kCorrupt, StrCat("this is no host image: /", path, " ", rule));
}

bool IsOstreeLink(std::string_view name, const Node& node) {
  return name == "ostree" && node.inode->type == Inode::Type::kSymlink && node.inode->link_target == kOstreeLinkTarget;
}

Status CheckFolders(const Node& tree) {
  for (const std::string_view name : kMustBeFolders) {
    const auto found = tree.children.find(name);
    if (found == tree.children.end() || found->second.is_dir() || IsOstreeLink(name, found->second)) continue;
    return NoHost(name, "must be a folder");
  }
  return Ok();
}

// Older OSTree-based images have `tmp` as a link; here something is mounted on it.
void EmptyTransientFolders(Node& tree, std::vector<std::string>& left_out) {
  if (const auto tmp = tree.children.find("tmp"); tmp != tree.children.end() && !tmp->second.is_dir()) {
    left_out.push_back("/tmp is no folder: replaced, it is a mount point");
    tree.children.erase(tmp);
  }
  for (const std::string_view name : kTransientFolders) {
    if (const auto found = tree.children.find(name); found != tree.children.end()) found->second.children.clear();
  }
}

// /etc of the image is the default that every deployment's own /etc begins with.
Status MoveEtc(Node& tree) {
  const auto etc = tree.children.find("etc");
  if (etc == tree.children.end() || etc->second.children.empty()) return Ok();
  const auto usr = tree.children.find("usr");
  if (usr == tree.children.end()) return NoHost("usr", "is missing");
  const auto old = usr->second.children.find("etc");
  if (old != usr->second.children.end() && !old->second.is_dir()) return NoHost("usr/etc", "must be a folder");
  if (old != usr->second.children.end() && !old->second.children.empty()) {
    return NoHost("etc", "and /usr/etc both have content: which of them is the default cannot be told; keep one");
  }
  usr->second.children.insert_or_assign("etc", etc->second);
  etc->second.children.clear();
  return Ok();
}

Status AddMountPoint(Node& tree, const MountPoint& point) {
  Node* at = &tree;
  const std::vector<std::string_view> names = Split(point.path, '/');
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [child, added] = at->children.try_emplace(std::string(names[i]));
    if (added) {
      child->second.inode = ImpliedDirectory();
      if (i + 1 == names.size()) child->second.inode->mode = point.mode;
    }
    at = &child->second;
    // An image's own link (home, opt, usr/local, …) is its business.
    if (!at->is_dir()) return Ok();
  }
  return Ok();
}

}  // namespace

Status ApplyLayer(Node& tree, Node layer) {
  if (!layer.inode->implied) tree.inode = layer.inode;
  return Apply(tree, std::move(layer), "");
}

Status FinishHostTree(Node& tree, std::vector<std::string>& left_out) {
  TRY(CheckFolders(tree));
  EmptyTransientFolders(tree, left_out);
  TRY(MoveEtc(tree));
  for (const MountPoint& point : kMountPoints) TRY(AddMountPoint(tree, point));
  return Ok();
}

}  // namespace hostapp
