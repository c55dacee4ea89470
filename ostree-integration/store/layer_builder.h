// SPDX-License-Identifier: Apache-2.0
// The rules for a layer's members, one after the other: which tree they make, what is dropped, what is refused. Pure.
//
// A member can only name what the same layer has made before it. Nothing is ever followed: a path below a link or a
// file, a hard link to anything but an earlier file, a member that changes the type of an earlier one are kCorrupt. So
// no order of members can reach a place that their names do not say.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hostapp/layer/tar_reader.h"
#include "ostree-integration/store/layer_index.h"

namespace hostapp {

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
  Result<std::shared_ptr<Inode>> MakeInode(const TarEntry& entry, Inode::Type type);

  Node root_;
  std::map<std::string, LayerIndex::Reason, std::less<>> special_;
  std::vector<LayerIndex::Dropped> dropped_;
  std::vector<std::shared_ptr<Inode>> replaced_;
};

}  // namespace hostapp
