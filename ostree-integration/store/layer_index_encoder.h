// SPDX-License-Identifier: Apache-2.0
// Writes a layer index in one walk over the tree, so that an index needs no memory beside the tree that it is made
// from. Fixed by the value alone: equal indexes give equal bytes.
#pragma once

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "ostree-integration/store/layer_index.h"

namespace hostapp {

class LayerIndexEncoder {
 public:
  // Counts, by a first walk. kCorrupt when the index would be larger than kMaxLayerIndexBytes. `index` outlives the
  // encoder and stays as it is.
  static Result<LayerIndexEncoder> Make(const LayerIndex& index);

  uint64_t size() const { return size_; }

  // Gives `out` exactly size() bytes. Errors are the sink's. What follows from the rest is not written: the framing's
  // size, a link's object, the hashes of an empty file, all of a folder that no member says.
  Status Write(ByteSink& out) const;

 private:
  explicit LayerIndexEncoder(const LayerIndex& index) : index_(&index) {}

  const LayerIndex* index_;
  uint64_t size_ = 0;
};

}  // namespace hostapp
