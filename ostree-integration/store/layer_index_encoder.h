// SPDX-License-Identifier: Apache-2.0
// Writes a layer index: section after section, each one walk over the tree, so that an index needs no memory beside the
// tree that it is made from. Fixed by the value alone: equal indexes give equal bytes.
#pragma once

#include <string>
#include <unordered_map>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "ostree-integration/store/layer_index.h"
#include "ostree-integration/store/layer_index_format.h"

namespace hostapp {

class LayerIndexEncoder {
 public:
  // Counts. kCorrupt when the index would be larger than kMaxLayerIndexBytes. `index` outlives the encoder and stays
  // as it is.
  static Result<LayerIndexEncoder> Make(const LayerIndex& index);

  uint64_t size() const { return counts_.total(); }

  // Gives `out` exactly size() bytes. Errors are the sink's.
  Status Write(ByteSink& out) const;

 private:
  class Writer;
  explicit LayerIndexEncoder(const LayerIndex& index) : index_(&index) {}

  void Count(const Node& node, size_t path_size);
  // Calls visit(node) for each inode, at the first name that it has.
  template <typename Visit>
  void EachInode(const Node& node, uint32_t& next, Visit visit) const;
  void WriteEntries(const Node& node, size_t path_size, uint32_t& next, Writer& out) const;
  void WritePaths(const Node& node, std::string& path, Writer& out) const;
  void WriteHeader(Writer& out) const;
  static void WriteInode(const Inode& inode, uint32_t& next_xattr, Writer& out);
  void WriteText(Writer& out) const;

  const LayerIndex* index_;
  layer_index::Counts counts_;
  uint64_t xattr_text_ = 0, target_text_ = 0, path_text_ = 0;  // bytes of the text section, in this order
  // The numbers of the inodes that may have several names; all others count up.
  std::unordered_map<const Inode*, uint32_t> shared_;
};

}  // namespace hostapp
