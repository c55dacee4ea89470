// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/reachable.h"

namespace hostapp {

// False: seen before, or not to be looked into.
Result<bool> Walker::Enter(const Sha256& id, std::string_view extension, std::string_view path) {
  if (!seen_.insert(id).second) return false;
  return visit_({.id = id, .extension = extension, .path = path});
}

Status Walker::WalkTree(const Sha256& tree, const std::string& path) {
  ASSIGN_OR_RETURN(const bool look, Enter(tree, "dirtree", path));
  if (!look) return Ok();
  ASSIGN_OR_RETURN(const TreeContents contents, LoadTree(store_, tree));
  for (const TreeFile& file : contents.files) {
    TRY(Enter(file.object, "file", StrCat(path, '/', file.name)).status());
  }
  for (const TreeFolder& folder : contents.folders) {
    const std::string below = StrCat(path, '/', folder.name);
    TRY(Enter(folder.meta, "dirmeta", below).status());
    TRY(WalkTree(folder.tree, below));
  }
  return Ok();
}

Status Walker::WalkCommit(const Sha256& commit) {
  std::optional<Sha256> next = commit;
  while (next) {
    const Sha256 id = *next;
    next.reset();
    ASSIGN_OR_RETURN(const bool look, Enter(id, "commit", ""));
    if (!look) return Ok();
    ASSIGN_OR_RETURN(const CommitRoot root, LoadCommitRoot(store_, id));
    TRY(Enter(root.meta, "dirmeta", "/").status());
    TRY(WalkTree(root.tree, ""));
    // History ends where it has been cut off.
    if (root.parent && HasObject(store_, *root.parent, "commit")) next = root.parent;
  }
  return Ok();
}

}  // namespace hostapp
