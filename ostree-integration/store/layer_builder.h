// SPDX-License-Identifier: Apache-2.0
// The rules for a layer's members, one after the other: which tree they make, what is dropped, what is refused. Pure.
//
// A member can only name what the same layer has made before it. Nothing is ever followed: a path below a link or a
// file, a hard link to anything but an earlier file, a member that changes the type of an earlier one are kCorrupt. So
// no order of members can reach a place that their names do not say.
//
// All of a layer but its content is in memory here, and a few megabytes of compressed tar can say gigabytes: beside the
// limits for one member (TarLimits) there are some for all of them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hostapp/layer/tar_reader.h"
#include "ostree-integration/store/layer_index.h"

namespace hostapp {

// Of a layer's members together. An extended attribute counts as its name, its value, and what holds them.
inline constexpr uint64_t kMaxLayerXattrBytes = uint64_t{16} << 20;
// Of what is left out: the paths and names that dropped() has.
inline constexpr uint64_t kMaxLayerDroppedBytes = uint64_t{64} << 20;
inline constexpr uint64_t kMaxLayerLinkBytes = uint64_t{64} << 20;
// One name can say 255 folders; those that are members are counted by TarLimits.
inline constexpr uint64_t kMaxImpliedFolders = 250'000;

class LayerBuilder {
 public:
  LayerBuilder();

  // Takes a member. Returns the inode whose content (kFile) or object (kSymlink) the caller stores and fills in, or
  // nothing when there is nothing to store. kCorrupt names the member and the rule.
  Result<std::shared_ptr<Inode>> Add(const TarEntry& entry);

  const Node& root() const { return root_; }
  Node TakeRoot() { return std::move(root_); }
  const std::vector<LayerIndex::Dropped>& dropped() const { return dropped_; }
  // Files that a later member of the same name replaced: no path has them, but the tar does.
  const std::vector<std::shared_ptr<Inode>>& replaced() const { return replaced_; }

 private:
  Result<Node*> Parent(const std::string& path);
  Status AddDirectory(const TarEntry& entry);
  Result<std::shared_ptr<Inode>> AddLeaf(const TarEntry& entry);
  Result<std::shared_ptr<Inode>> AddHardlink(const TarEntry& entry);
  Status AddSpecial(const TarEntry& entry, LayerIndex::Reason reason);
  Status Place(const std::string& path, std::shared_ptr<Inode> inode);
  Node* Find(const std::string& path);
  Status Drop(const TarEntry& entry, std::string text, LayerIndex::Reason reason);
  Status CountXattrs(const TarEntry& entry, const Xattrs& xattrs);
  Result<std::shared_ptr<Inode>> MakeInode(const TarEntry& entry, Inode::Type type);

  Node root_;
  std::map<std::string, LayerIndex::Reason, std::less<>> special_;
  std::vector<LayerIndex::Dropped> dropped_;
  std::vector<std::shared_ptr<Inode>> replaced_;
  uint64_t xattr_bytes_ = 0;
  uint64_t dropped_bytes_ = 0;
  uint64_t link_bytes_ = 0;
  uint64_t implied_folders_ = 0;  // made, whatever became of them
};

}  // namespace hostapp
