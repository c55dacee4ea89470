// SPDX-License-Identifier: Apache-2.0
// What import, merge and repair share. Private to this module.
#pragma once

#include <set>

#include "ostree-integration/store/import.h"

namespace hostapp {

// PlanImport(), with the layers `again` counted as missing.
Result<ImportPlan> PlanLayers(const ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                              const std::set<Digest>& again);
// Fetches and imports the plan's layers. The caller holds the import lock.
Result<ImportReport> ImportPlanned(ImageStore& store, const ImportPlan& plan, BlobSource& source, OpContext& ctx);
void AddDropped(const std::vector<DroppedPath>& dropped, ImportReport& report);
// MergeImage(), also where the ref is there already: writes what is missing again.
Result<std::string> WriteMerged(ImageStore& store, const Manifest& manifest, const ImageConfig& config, OpContext& ctx,
                                ImportReport* report = nullptr);

}  // namespace hostapp
