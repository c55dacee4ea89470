// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/host_tree.h"

#include <optional>

#include "hostapp/base/workers.h"
#include "ostree-integration/store/import_layer.h"
#include "ostree-integration/store/merge_tree.h"

namespace hostapp {

Result<Node> HostTree(const ImageStore& store, const ImageConfig& config, std::vector<std::string>& left_out,
                      OpContext& ctx, const std::function<void(const LayerIndex&)>& see) {
  Node tree{ImpliedDirectory(), {}};
  std::vector<std::optional<LayerIndex>> indexes(config.diff_ids.size());
  Workers workers(ctx.jobs);
  TRY(ForEachOf(indexes.size(), workers, [&](size_t i, size_t) -> Status {
    TRY(ctx.cancel.Check());
    ASSIGN_OR_RETURN(indexes[i], LoadLayerIndex(store, config.diff_ids[i]));
    std::string().swap(indexes[i]->framing);  // all trees are in memory together, but nothing else of the tars
    std::vector<LayerIndex::Member>().swap(indexes[i]->members);
    return Ok();
  }));
  for (size_t i = 0; i < indexes.size(); ++i) {
    ctx.progress.Report({.stage = "merge",
                         .item = {},
                         .done = i,
                         .total = config.diff_ids.size(),
                         .unit = ProgressEvent::Unit::kItems});
    if (see) see(*indexes[i]);
    TRY(ApplyLayer(tree, std::move(indexes[i]->root)).While("layer ", i + 1, " of ", config.diff_ids.size()));
  }
  TRY(FinishHostTree(tree, left_out));
  return tree;
}

}  // namespace hostapp
