// SPDX-License-Identifier: Apache-2.0
// What import, merge and repair share. Private to this module.
#pragma once

#include <set>

#include "ostree-integration/store/import.h"
#include "ostree-integration/store/object_id.h"

namespace hostapp {

// PlanImport(), with the layers `again` counted as missing, whatever has their refs.
Result<ImportPlan> PlanLayers(const ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                              const std::set<Digest>& again);
// Fetches and imports the plan's layers; the objects `damaged` are written again where a layer has them. The caller
// holds the import lock.
Result<ImportReport> ImportPlanned(ImageStore& store, const ImportPlan& plan, const ObjectSet& damaged,
                                   BlobSource& source, OpContext& ctx);
void AddDropped(const std::vector<DroppedPath>& dropped, ImportReport& report);
// MergeImage(), also where the ref is there already: writes again what is missing or in `damaged`.
Result<std::string> WriteMerged(ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                                const ObjectSet& damaged, OpContext& ctx, ImportReport* report = nullptr);

}  // namespace hostapp
