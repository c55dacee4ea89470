// SPDX-License-Identifier: Apache-2.0
// The merged tree of a host image, in memory. Private to this module.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/oci/image_config.h"
#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/layer_index.h"

namespace hostapp {

// From the indexes of the image's layers, of which `see` sees each before it goes into the tree; no file is read.
// `left_out`: FinishHostTree() says what.
Result<Node> HostTree(const ImageStore& store, const ImageConfig& config, std::vector<std::string>& left_out,
                      OpContext& ctx, const std::function<void(const LayerIndex&)>& see = {});

}  // namespace hostapp
