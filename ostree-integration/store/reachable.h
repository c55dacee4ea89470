// SPDX-License-Identifier: Apache-2.0
// What a commit needs. Private to this module.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/workers.h"
#include "ostree-integration/store/tree_reader.h"

namespace hostapp {

// An object on the way through a commit's tree.
struct Visit {
  Sha256 id{};
  std::string_view extension;  // "commit", "dirtree", "dirmeta", "file"
  std::string_view path;       // where it was found
};

// A commit, and what it is walked for.
struct Start {
  Sha256 commit{};
  std::string_view ref;
};

// One of each; they refer to the names in `refs`. kInvalid: no checksum.
Result<std::vector<Start>> StartsOf(const std::map<std::string, std::string>& refs);

// Walks commits, each object once for all walks of this walker.
class Walker {
 public:
  // `visit` says whether to look into the object: false for one that cannot be read. It is called by one thread, in an
  // order that depends on the store alone; trees are read by `workers`.
  Walker(const ImageStore& store, Workers& workers, std::function<Result<bool>(const Visit&)> visit)
      : store_(store), workers_(workers), visit_(std::move(visit)) {}

  // The commits, their trees, and their ancestors as far as they are there. Errors name the ref.
  Status Walk(std::span<const Start> starts);
  const ObjectSet& seen() const { return seen_; }

 private:
  struct Folder {
    Sha256 tree{};
    std::string path;
    std::string_view ref;
  };
  Status EnterCommits(const Start& start);
  Status EnterFolder(const Sha256& tree, std::string path, std::string_view ref);
  Result<bool> Enter(const Sha256& id, std::string_view extension, std::string_view path);

  const ImageStore& store_;
  Workers& workers_;
  std::function<Result<bool>(const Visit&)> visit_;
  ObjectSet seen_;
  std::vector<Folder> folders_;  // to be looked into
};

}  // namespace hostapp
