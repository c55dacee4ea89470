// SPDX-License-Identifier: Apache-2.0
// The repository's refs as files: libostree stops at the first damaged one, and finding that one is our business.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ostree-integration/store/store_impl.h"

namespace hostapp {

struct RefScan {
  std::map<std::string, std::string> refs;  // "hostapp/image/…" for ours, "remotes/…", "mirrors/…" for others → commit
  std::vector<std::string> damaged;         // names
  std::vector<std::string> leftovers;  // files below `refs` that an interrupted write left
};

// The name that libostree gives a file before it is whole, where it cannot do without one: "tmp.XXXXXX".
bool IsUnfinished(std::string_view name);
// Reads every ref file; a folder that has the name of one of ours is damaged. Aliases (symbolic links) are skipped:
// what they name is a ref too.
Result<RefScan> ScanRefs(const ImageStore& store);

// Removes one of our refs, whatever has its name. Ok when there is none. Durable after the file system is synced.
Status RemoveRef(const ImageStore& store, std::string_view ref, OpContext& ctx);

}  // namespace hostapp
