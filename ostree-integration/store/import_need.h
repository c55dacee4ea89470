// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ostree-integration/store/import.h"

namespace hostapp {

// What an import into an empty store would do, before there is one. Of its fields: download_bytes, need_bytes,
// need_inodes and layers, each blob counted once.
ImportPlan PlanFirstImport(const Manifest& manifest);

}  // namespace hostapp
