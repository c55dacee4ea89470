// SPDX-License-Identifier: Apache-2.0
// Layers' trees → one tree. Pure: names and checksums only.
#pragma once

#include <string>
#include <vector>

#include "hostapp/base/result.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {

// Puts a layer over the tree of the layers below it, as OCI image-spec "layer.md" says: whiteouts and opaque marks hide
// what the layers below have and are gone then; what the layer has itself is never hidden by its own marks, wherever
// they stand. A folder over a file or link replaces it, but only when the layer says the folder itself: otherwise a
// path through a lower layer's link would come to lie elsewhere than its builder saw it (kCorrupt). A folder that no
// member says keeps the lower one's owner and mode.
Status ApplyLayer(Node& tree, Node layer);

// Makes a host image's tree of a merged one: merge.h says what. `left_out` gets a line for each thing at the root that
// was replaced.
Status FinishHostTree(Node& tree, std::vector<std::string>& left_out);

}  // namespace hostapp
