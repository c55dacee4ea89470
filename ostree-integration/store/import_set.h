// SPDX-License-Identifier: Apache-2.0
// What import and repair share. Private to this module.
#pragma once

#include <set>

#include "ostree-integration/store/import.h"

namespace hostapp {

// PlanImport(), with the layers `again` counted as missing.
Result<ImportPlan> PlanLayers(const ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                              const std::set<Digest>& again);
// Fetches and imports the plan's layers. The caller holds the import lock.
Result<ImportReport> ImportPlanned(ImageStore& store, const ImportPlan& plan, BlobSource& source, OpContext& ctx);

}  // namespace hostapp
