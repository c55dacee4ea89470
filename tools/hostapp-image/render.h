// SPDX-License-Identifier: Apache-2.0
// Reports as what the user reads and what programs read. Pure. Absent is null, never a missing key.
#pragma once

#include "hostapp/layer/pack.h"
#include "hostapp/lifecycle/composefs_digest.h"
#include "hostapp/lifecycle/copy_image.h"
#include "hostapp/lifecycle/make_disk.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/manifest.h"
#include "tools/cli/output.h"

namespace hostapp::cli {

Outcome RenderPack(const PackResult& result, const Reference& destination);

Outcome RenderCopy(const CopyReport& report, const Reference& destination);

Outcome RenderDisk(const DiskReport& report, const std::string& file);

struct InspectedImage {
  Manifest manifest;
  ImageConfig config;
  Digest top_digest;  // of what the reference names: an index's, where there is one
};

Outcome RenderInspect(const InspectedImage& image);

Outcome RenderComposefsDigest(const ComposefsDigest& digest);

}  // namespace hostapp::cli
