// SPDX-License-Identifier: Apache-2.0
// One verified blob → one layer in the store. Private to this module.
#pragma once

#include <functional>
#include <vector>

#include "ostree-integration/store/import.h"
#include "ostree-integration/store/layer_index.h"
#include "ostree-integration/store/object_stage.h"

namespace hostapp {

struct LayerImport {
  StageCounts counts;
  std::vector<DroppedPath> dropped;
};

// Reads the blob from `file` (its digest has been verified) and stages objects, trees, commit and ref of the layer.
// `consumed` is told how much of the blob has been read so far, by whichever thread reads.
Result<LayerImport> ImportLayer(ObjectStage& stage, const Descriptor& blob, const Digest& diff_id, int file,
                                const std::function<void(uint64_t)>& consumed, OpContext& ctx);

// The index of a layer that is in the store. kNotFound; kCorrupt.
Result<LayerIndex> LoadLayerIndex(const ImageStore& store, const Digest& diff_id);

// What of a layer no deployment shows: special files, and what is below folders that are mount points.
std::vector<DroppedPath> DroppedOf(const LayerIndex& index);

// The annotation as a number, if it is one.
std::optional<uint64_t> NumberAnnotation(const Descriptor& blob, std::string_view key);

}  // namespace hostapp
