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
// the store or staged, or no commit must follow.
Result<TreeIds> WriteTree(ObjectStage& stage, const Node& folder);

}  // namespace hostapp
