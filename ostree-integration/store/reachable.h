// SPDX-License-Identifier: Apache-2.0
// What a commit needs. Private to this module.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "ostree-integration/store/tree_reader.h"

namespace hostapp {

using ObjectSet = std::unordered_set<Sha256, Sha256Hash>;

// An object on the way through a commit's tree.
struct Visit {
  Sha256 id{};
  std::string_view extension;  // "commit", "dirtree", "dirmeta", "file"
  std::string_view path;       // where it was found
};

// Walks commits, each object once for all walks of this walker.
class Walker {
 public:
  // `visit` says whether to look into the object: false for one that cannot be read.
  Walker(const ImageStore& store, std::function<Result<bool>(const Visit&)> visit)
      : store_(store), visit_(std::move(visit)) {}

  // The commit, its tree, and its ancestors as far as they are there.
  Status WalkCommit(const Sha256& commit);
  const ObjectSet& seen() const { return seen_; }

 private:
  Status WalkTree(const Sha256& tree, const std::string& path);
  Result<bool> Enter(const Sha256& id, std::string_view extension, std::string_view path);

  const ImageStore& store_;
  std::function<Result<bool>(const Visit&)> visit_;
  ObjectSet seen_;
};

}  // namespace hostapp
