// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/reachable.h"

#include <algorithm>
#include <iterator>

namespace hostapp {
namespace {

constexpr size_t kFoldersAtOnce = 1024;

}  // namespace

Result<std::vector<Start>> StartsOf(const std::map<std::string, std::string>& refs) {
  std::vector<Start> starts;
  starts.reserve(refs.size());
  for (const auto& [ref, commit] : refs) {
    ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(commit));
    starts.push_back({id, ref});
  }
  return starts;
}

// False: seen before, or not to be looked into.
Result<bool> Walker::Enter(const Sha256& id, std::string_view extension, std::string_view path) {
  if (!seen_.insert(id).second) return false;
  return visit_({.id = id, .extension = extension, .path = path});
}

Status Walker::EnterFolder(const Sha256& tree, std::string path, std::string_view ref) {
  ASSIGN_OR_RETURN(const bool look, Enter(tree, "dirtree", path));
  if (look) folders_.push_back({tree, std::move(path), ref});
  return Ok();
}

Status Walker::EnterCommits(const Start& start) {
  std::optional<Sha256> next = start.commit;
  while (next) {
    const Sha256 id = *next;
    next.reset();
    ASSIGN_OR_RETURN(const bool look, Enter(id, "commit", ""));
    if (!look) return Ok();
    ASSIGN_OR_RETURN(const CommitRoot root, LoadCommitRoot(store_, id));
    TRY(Enter(root.meta, "dirmeta", "/").status());
    TRY(EnterFolder(root.tree, "", start.ref));
    // History ends where it has been cut off.
    if (root.parent && HasObject(store_, *root.parent, "commit")) next = root.parent;
  }
  return Ok();
}

Status Walker::Walk(std::span<const Start> starts) {
  const auto doing = [](std::string_view ref) { return StrCat("looking what the ref ", Escape(ref), " needs"); };
  for (const Start& start : starts) TRY(EnterCommits(start).While(doing(start.ref)));
  while (!folders_.empty()) {
    // The last ones: what waits does not grow with the number of folders, but with the depth of the trees.
    const size_t count = std::min(kFoldersAtOnce, folders_.size());
    const std::vector<Folder> folders(std::make_move_iterator(folders_.end() - static_cast<ptrdiff_t>(count)),
                                      std::make_move_iterator(folders_.end()));
    folders_.resize(folders_.size() - count);
    std::vector<TreeContents> contents(count);
    TRY(ForEachOf(count, workers_, [&](size_t i, size_t) -> Status {
      ASSIGN_OR_RETURN(contents[i], LoadTree(store_, folders[i].tree).While(doing(folders[i].ref)));
      return Ok();
    }));
    for (size_t i = 0; i < count; ++i) {
      const Folder& folder = folders[i];
      for (const TreeFile& file : contents[i].files) {
        TRY(Enter(file.object, "file", StrCat(folder.path, '/', file.name)).status());
      }
      for (TreeFolder& below : contents[i].folders) {
        std::string path = StrCat(folder.path, '/', below.name);
        TRY(Enter(below.meta, "dirmeta", path).status());
        TRY(EnterFolder(below.tree, std::move(path), folder.ref));
      }
    }
  }
  return Ok();
}

}  // namespace hostapp
