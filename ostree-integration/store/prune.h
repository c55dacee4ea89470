// SPDX-License-Identifier: Apache-2.0
// Collecting what nothing needs.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "ostree-integration/store/image_store.h"

namespace hostapp {

struct PruneReport {
  std::vector<std::string> refs;  // removed
  uint64_t objects = 0;
  uint64_t object_bytes = 0;
  uint64_t leftovers = 0;  // spool files and other unfinished work
  uint64_t leftover_bytes = 0;
};

enum class PruneMode { kDryRun, kRemove };

// Of an image on its way into the store: what it has there before it is merged.
struct UnfinishedImport {
  std::set<Digest> layers;  // diff_ids
  std::set<Digest> blobs;   // whose spool files stay, whole or begun
};

// Removes the refs of images that are not in `keep` and of layers that no kept image uses, then every object that no
// ref (whoever made it) reaches, then what interrupted runs left in `hostapp/tmp` and in the repository's own `tmp`. A
// dry run counts exactly the same and changes nothing.
// An image in `keep` that the store does not have is ignored. A damaged ref of ours that nothing in `keep` needs goes
// like any other. kCorrupt when a kept image or one of its trees cannot be read, or a ref of somebody else is damaged,
// for then nobody knows what it keeps: nothing is removed. kBusy: an import is running, or somebody holds the
// repository. A crash leaves some of it for the next time; never an object missing that a ref reaches.
Result<PruneReport> Prune(ImageStore& store, const std::set<Digest>& keep, PruneMode mode, OpContext& ctx);

// The same, but for what that import has brought so far.
Result<PruneReport> Prune(ImageStore& store, const std::set<Digest>& keep, const UnfinishedImport& unfinished,
                          PruneMode mode, OpContext& ctx);

}  // namespace hostapp
