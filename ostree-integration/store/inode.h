// SPDX-License-Identifier: Apache-2.0
// Trees of names, as layers and merged images have them in memory: what the layer index keeps, and what OSTree's tree
// objects are written from.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ostree-integration/store/object_id.h"

namespace hostapp {

using Xattrs = std::map<std::string, std::string, std::less<>>;

// A file, link or folder without its names. Hard links of one file share one Inode.
struct Inode {
  enum class Type : uint8_t { kFile = 1, kDirectory = 2, kSymlink = 3 };

  Type type = Type::kFile;
  bool implied = false;  // kDirectory: no member says it, only something below it does
  uint32_t mode = 0;     // 07777
  uint32_t uid = 0;
  uint32_t gid = 0;
  int64_t mtime = 0;
  uint32_t mtime_nanos = 0;
  uint64_t size = 0;       // kFile
  Sha256 content{};        // kFile: SHA-256
  Sha256 verity{};         // kFile: fs-verity digest
  Sha256 object{};         // kFile, kSymlink: the store's content object
  uint64_t tar_block = 0;  // kFile with content: where that begins in the layer's tar, in blocks of 512 bytes
  std::string link_target;
  Xattrs xattrs;

  bool operator==(const Inode&) const = default;
};

inline std::shared_ptr<Inode> ImpliedDirectory() {
  auto inode = std::make_shared<Inode>();
  inode->type = Inode::Type::kDirectory;
  inode->implied = true;
  inode->mode = 0755;
  return inode;
}

// A name's place in the tree.
struct Node {
  std::shared_ptr<Inode> inode;
  std::map<std::string, Node, std::less<>> children;  // of a folder, by their bytes

  bool is_dir() const { return inode->type == Inode::Type::kDirectory; }
};

// What stands at `path` below a folder ("ssl/certs"; "" is the folder itself), no link followed; nullptr: nothing.
inline const Node* Below(const Node& folder, std::string_view path) {
  const Node* at = &folder;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const auto child = at->children.find(path.substr(0, slash));
    if (child == at->children.end()) return nullptr;
    at = &child->second;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return at;
}

// The part of `path` behind its last slash.
inline std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace hostapp
