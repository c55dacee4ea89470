// SPDX-License-Identifier: Apache-2.0
// A tree in memory → OSTree's tree objects.
#pragma once

#include "ostree-integration/store/inode.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {

struct TreeIds {
  Sha256 tree{};
  Sha256 meta{};
};

// Within a transaction: writes the objects of a folder and everything below it, those below first. The content objects
// that it names are in the store already, or no commit must follow.
Result<TreeIds> WriteTree(const ImageStore& store, const Node& folder);

}  // namespace hostapp
