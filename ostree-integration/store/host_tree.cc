// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/host_tree.h"

#include "ostree-integration/store/import_layer.h"
#include "ostree-integration/store/merge_tree.h"

namespace hostapp {

Result<Node> HostTree(const ImageStore& store, const ImageConfig& config, std::vector<std::string>& left_out,
                      OpContext& ctx, const std::function<void(const LayerIndex&)>& see) {
  Node tree{ImpliedDirectory(), {}};
  for (size_t i = 0; i < config.diff_ids.size(); ++i) {
    TRY(ctx.cancel.Check());
    ctx.progress.Report({.stage = "merge",
                         .item = {},
                         .done = i,
                         .total = config.diff_ids.size(),
                         .unit = ProgressEvent::Unit::kItems});
    ASSIGN_OR_RETURN(LayerIndex index, LoadLayerIndex(store, config.diff_ids[i]));
    if (see) see(index);
    TRY(ApplyLayer(tree, std::move(index.root)).While("layer ", i + 1, " of ", config.diff_ids.size()));
  }
  TRY(FinishHostTree(tree, left_out));
  return tree;
}

}  // namespace hostapp
