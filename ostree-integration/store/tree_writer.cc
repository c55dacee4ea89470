// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/tree_writer.h"

namespace hostapp {

Result<TreeIds> WriteTree(ObjectStage& stage, const Node& folder) {
  DirTreeBuilder builder;
  for (const auto& [name, child] : folder.children) {
    if (!child.is_dir()) {
      builder.AddFile(name, child.inode->object);
      continue;
    }
    ASSIGN_OR_RETURN(const TreeIds below, WriteTree(stage, child));
    builder.AddDirectory(name, below.tree, below.meta);
  }
  TreeIds ids;
  ASSIGN_OR_RETURN(ids.tree, stage.AddMetadata(OSTREE_OBJECT_TYPE_DIR_TREE, AsBytes(builder.Finish())));
  ASSIGN_OR_RETURN(ids.meta, stage.AddMetadata(OSTREE_OBJECT_TYPE_DIR_META, AsBytes(DirMetaBytes(*folder.inode))));
  return ids;
}

}  // namespace hostapp
