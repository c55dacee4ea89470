// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/tree_writer.h"

namespace hostapp {
namespace {

Result<TreeIds> Write(ObjectStage& stage, const Node& folder, const std::string& path) {
  DirTreeBuilder builder;
  for (const auto& [name, child] : folder.children) {
    if (!child.is_dir()) {
      builder.AddFile(name, child.inode->object);
      continue;
    }
    ASSIGN_OR_RETURN(const TreeIds below, Write(stage, child, StrCat(path, '/', name)));
    builder.AddDirectory(name, below.tree, below.meta);
  }
  TreeIds ids;
  const auto add = [&](OstreeObjectType type, const std::string& bytes) {
    return stage.AddMetadata(type, AsBytes(bytes)).While("the folder ", path.empty() ? "/" : Escape(path));
  };
  ASSIGN_OR_RETURN(ids.tree, add(OSTREE_OBJECT_TYPE_DIR_TREE, builder.Finish()));
  ASSIGN_OR_RETURN(ids.meta, add(OSTREE_OBJECT_TYPE_DIR_META, DirMetaBytes(*folder.inode)));
  return ids;
}

}  // namespace

Result<TreeIds> WriteTree(ObjectStage& stage, const Node& folder) { return Write(stage, folder, ""); }

}  // namespace hostapp
