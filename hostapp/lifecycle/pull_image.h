// SPDX-License-Identifier: Apache-2.0
// From a reference to a merged tree in the store.
#pragma once

#include "hostapp/boot/device.h"
#include "hostapp/oci/blob.h"
#include "hostapp/oci/image_config.h"
#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/import.h"

namespace hostapp {

// What a pull would do, decided before the first byte of a layer is fetched.
struct PullPlan {
  Manifest manifest;
  ImageConfig config;
  ImportPlan import;
  bool in_store = false;          // merged already: nothing to do
  uint64_t boot_bytes = 0;        // that the boot set is expected to take
  std::string boot_bytes_source;  // why that many
};

struct PulledImage {
  Manifest manifest;
  ImageConfig config;
  std::string commit;
  ImportReport import;
};

// Fetches the config (small) and plans the rest. Changes nothing.
Result<PullPlan> PlanPull(const Device& device, const ImageStore& store, const Manifest& manifest, BlobSource& source,
                          OpContext& ctx);

// kNoSpace, naming what is needed and what there is, for the store's and the boot file system.
Status CheckSpaceFor(const Device& device, const ImageStore& store, const PullPlan& plan, OpContext& ctx);

// Carries the plan out. Commit point: the image's ref. Interrupted: the same again goes on where it stopped.
Result<PulledImage> PullImage(const StoreLock& lock, ImageStore& store, const PullPlan& plan, BlobSource& source,
                              OpContext& ctx);

}  // namespace hostapp
