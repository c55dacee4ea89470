// SPDX-License-Identifier: Apache-2.0
// A tree in memory → OSTree's tree objects.
#pragma once

#include "ostree-integration/store/inode.h"
#include "ostree-integration/store/object_stage.h"

namespace hostapp {

struct TreeIds {
  Sha256 tree{};
  Sha256 meta{};
};

// Stages the objects of a folder and everything below it, those below first. The content objects that it names are in
// the store or staged, or no commit must follow. kCorrupt: a folder has more entries than a tree object holds
// (OSTREE_MAX_METADATA_SIZE: some 218,000 with names of ten bytes, 35,000 of 255).
Result<TreeIds> WriteTree(ObjectStage& stage, const Node& folder);

}  // namespace hostapp
