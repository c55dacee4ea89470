// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/image_tree.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <unordered_map>

#include "hostapp/base/durable.h"
#include "ostree-integration/composefs/erofs_writer.h"
#include "ostree-integration/store/host_tree.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {
namespace {

using composefs::Tree;

constexpr uint32_t kPermissions = 07777;

// The result holds views of `inode` and of `xattrs`, which is filled.
composefs::Metadata RootMetadata(const Inode& inode, std::vector<composefs::Xattr>& xattrs) {
  xattrs.clear();
  for (const auto& [name, value] : inode.xattrs) xattrs.push_back({.name = name, .value = value});
  return {.mode = inode.mode & kPermissions,
          .uid = inode.uid,
          .gid = inode.gid,
          .mtime = inode.mtime,
          .mtime_nanos = inode.mtime_nanos,
          .xattrs = xattrs};
}

class RootTree {
 public:
  RootTree(const ImageStore& store, OpContext& ctx, Tree& tree) : store_(store), ctx_(ctx), tree_(tree) {}

  Status AddChildren(const Node& folder, Tree::Id id);

  static size_t CountNames(const Node& folder) {
    size_t names = folder.children.size();
    for (const auto& [name, child] : folder.children) names += CountNames(child);
    return names;
  }

 private:
  composefs::Metadata MetadataOf(const Inode& inode) { return RootMetadata(inode, xattrs_); }
  Status Add(Tree::Id folder, const std::string& name, const Node& node);
  Result<Tree::Id> AddFile(Tree::Id folder, const std::string& name, const Inode& inode);
  Result<std::string> ReadShort(const Inode& inode) const;

  const ImageStore& store_;
  OpContext& ctx_;
  Tree& tree_;
  std::unordered_map<const Inode*, Tree::Id> first_names_;  // of what has more than one
  std::vector<composefs::Xattr> xattrs_;
};

Status RootTree::AddChildren(const Node& folder, Tree::Id id) {
  TRY(ctx_.cancel.Check());
  for (const auto& [name, child] : folder.children) TRY(Add(id, name, child));
  return Ok();
}

Status RootTree::Add(Tree::Id folder, const std::string& name, const Node& node) {
  const Inode& inode = *node.inode;
  if (node.is_dir()) {
    ASSIGN_OR_RETURN(const Tree::Id id, tree_.AddFolder(folder, name, MetadataOf(inode)));
    return AddChildren(node, id);
  }
  if (const auto first = first_names_.find(&inode); first != first_names_.end()) {
    return tree_.AddHardLink(folder, name, first->second);
  }
  ASSIGN_OR_RETURN(const Tree::Id id, AddFile(folder, name, inode));
  if (node.inode.use_count() > 1) first_names_.emplace(&inode, id);
  return Ok();
}

Result<Tree::Id> RootTree::AddFile(Tree::Id folder, const std::string& name, const Inode& inode) {
  if (inode.type == Inode::Type::kSymlink) {
    return tree_.AddSymlink(folder, name, MetadataOf(inode), inode.link_target);
  }
  if (inode.size <= composefs::kSmallContentBytes) {
    ASSIGN_OR_RETURN(const std::string content, ReadShort(inode).While(Escape(name)));
    return tree_.AddInlineFile(folder, name, MetadataOf(inode), content);
  }
  const std::string path = ObjectPath(inode.object, "file");
  return tree_.AddFile(folder, name, MetadataOf(inode), {.size = inode.size, .path = path, .verity = inode.verity});
}

Result<std::string> RootTree::ReadShort(const Inode& inode) const {
  if (inode.size == 0) return std::string();
  const std::string path = ObjectPath(inode.object, "file");
  ASSIGN_OR_RETURN(
      std::string content,
      ReadFile(store_.impl().objects.get(), path, composefs::kSmallContentBytes).While("reading the object ", path));
  if (ToSha256(HashOf(AsBytes(content))) == inode.content) return content;
  return Error(Errc::kCorrupt,
               StrCat("the object ", path, " has not the content that it had; `hostapp fsck --repair`"));
}

std::string Obstacle(const Inode& inode) {
  if (inode.xattrs.empty()) return {};
  std::vector<composefs::Xattr> xattrs;
  (void)RootMetadata(inode, xattrs);
  if (composefs::XattrBytes(xattrs) <= composefs::kMaxXattrBytes) return {};
  return StrCat(" with extended attributes of more than ", composefs::kMaxXattrBytes, " bytes");
}

// The path is put together on the way back: nearly no image has one.
std::string ObstacleBelow(const Node& folder) {
  for (const auto& [name, child] : folder.children) {
    const std::string obstacle = Obstacle(*child.inode);
    if (!obstacle.empty()) return StrCat("/", Escape(name), obstacle);
    const std::string below = ObstacleBelow(child);
    if (!below.empty()) return StrCat("/", Escape(name), below);
  }
  return {};
}

std::string ObstacleTo(const Node& root) {
  for (const auto& [name, child] : root.children) {
    if (IsObjectFolder(name)) return StrCat("/", name, ", a name that a composefs root needs itself");
  }
  const std::string at_root = Obstacle(*root.inode);
  return at_root.empty() ? ObstacleBelow(root) : "/" + at_root;
}

Result<RootImage> Write(const ImageStore& store, const Node& root, ByteSink& out, OpContext& ctx) {
  std::vector<composefs::Xattr> xattrs;
  ASSIGN_OR_RETURN(Tree tree, Tree::Create(RootMetadata(*root.inode, xattrs)));
  tree.Reserve(RootTree::CountNames(root));
  TRY(RootTree(store, ctx, tree).AddChildren(root, Tree::kRoot));
  const composefs::FormatVersion format = composefs::OldestFormat(tree);
  ASSIGN_OR_RETURN(const composefs::Image image, composefs::WriteImage(tree, format, out));
  RootImage written{.digest = {}, .bytes = image.bytes, .format = static_cast<uint32_t>(format)};
  std::copy(image.digest.begin(), image.digest.end(), written.digest.bytes.begin());
  return written;
}

void AddObjects(const Node& folder, std::vector<ObjectSize>& out) {
  for (const auto& [name, child] : folder.children) {
    if (child.is_dir()) {
      AddObjects(child, out);
    } else {
      out.push_back({.object = child.inode->object, .size = child.inode->size});
    }
  }
}

}  // namespace

Result<ImageTree> ImageTree::Load(const ImageStore& store, const Digest& manifest_digest, OpContext& ctx) {
  ASSIGN_OR_RETURN(const StoredImage image, LoadImage(store, manifest_digest));
  std::vector<std::string> left_out;  // said when the image was merged
  ASSIGN_OR_RETURN(Node root,
                   HostTree(store, image.config, left_out, ctx).While("the tree of ", manifest_digest.Short()));
  std::string obstacle = ObstacleTo(root);
  return ImageTree(store, manifest_digest, std::make_shared<const Node>(std::move(root)), std::move(obstacle));
}

Result<RootImage> ImageTree::WriteRootImage(ByteSink& out, OpContext& ctx) const {
  const auto write = [&]() -> Result<RootImage> {
    if (!obstacle_.empty()) {
      return Error(Errc::kCorrupt, StrCat("it has ", obstacle_, "; deploy with --root checkout"));
    }
    return Write(*store_, *root_, out, ctx);
  };
  return write().While("the root image of ", manifest_digest_.Short());
}

std::vector<ObjectSize> ImageTree::Objects() const {
  std::vector<ObjectSize> out;
  AddObjects(*root_, out);
  const auto by_id = [](const ObjectSize& a, const ObjectSize& b) { return a.object < b.object; };
  const auto same = [](const ObjectSize& a, const ObjectSize& b) { return a.object == b.object; };
  std::sort(out.begin(), out.end(), by_id);
  out.erase(std::unique(out.begin(), out.end(), same), out.end());
  return out;
}

}  // namespace hostapp
