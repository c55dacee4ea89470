// SPDX-License-Identifier: Apache-2.0
// An image to build on, and what must be put on top of it to make another tree of it.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "hostapp/layer/layer_plan.h"
#include "hostapp/layer/rootfs_tree.h"
#include "hostapp/oci/blob.h"

namespace hostapp {

// What the base's merged tree has at a path. Times count: an image that differs in them alone differs.
struct BaseMember {
  TarEntry entry;      // of the inode; `path` empty
  HashValue content;   // of a file
  uint64_t inode = 0;  // two paths with one number are hard links
};

struct BaseImage {
  std::vector<Descriptor> layers;
  std::vector<Digest> diff_ids;
  std::map<std::string, BaseMember, std::less<>> paths;
};

// Resolves the base, brings its layers into `destination` (reading each, verified, from a spool file in `temp_dir`) and
// merges them. kCorrupt also for a layer whose diff_id is wrong.
Result<BaseImage> ReadBaseImage(const Reference& reference, ImageSource& source, const Platform& platform,
                                const std::string& temp_dir, ImageDestination& destination, OpContext& ctx);

// Takes out of `plan` what the base has already, and adds whiteouts (to the last layer) for what only the base has.
// Layers that end up empty are removed.
Status KeepOnlyChanges(const BaseImage& base, const RootfsTree& tree, std::vector<PlannedLayer>& plan);

}  // namespace hostapp
