// SPDX-License-Identifier: Apache-2.0
// A layer as it came, from the store.
#pragma once

#include "hostapp/base/bytes.h"
#include "ostree-integration/store/image_store.h"

namespace hostapp {

// Writes the uncompressed tar of the layer `diff_id` to `sink`, bit for bit what was imported: framing from the layer's
// index, contents from the objects. Checks the diff_id at the end. kNotFound: no such layer; kCorrupt: an object of it
// is missing or damaged, or the sum is not the diff_id (the sink has then got wrong bytes).
Status ExportLayer(const ImageStore& store, const Digest& diff_id, ByteSink& sink, OpContext& ctx);

}  // namespace hostapp
