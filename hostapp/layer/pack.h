// SPDX-License-Identifier: Apache-2.0
// A root file system → an OCI image, bit for bit the same for the same input: nothing of it depends on the clock, on
// who runs this, on the order of a folder's entries or on the machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hostapp/layer/compression.h"
#include "hostapp/oci/blob.h"

namespace hostapp {

struct PackOptions {
  std::string rootfs;  // a folder, or a tar of any kind
  int layers = 1;      // see layer_plan.h; only the difference to `base` is split where there is one
  Compression compression = Compression::kZstd;
  int level = 0;  // 0: 6 for both
  Platform platform = HostPlatform();
  Annotations labels;  // "org.opencontainers.image.version" among them where there is a version
  // Unix seconds: no time in the image is later (SOURCE_DATE_EPOCH). The image's "created" is this, or else the newest
  // time in the input.
  std::optional<int64_t> source_date_epoch;
  std::string temp_dir = "/var/tmp";  // for the layers while they are made, and a tar's content
  // The image to build on: its layers are taken as they are, and what differs is put on top.
  struct Base {
    Reference reference;
    ImageSource* source = nullptr;  // not owned
  };
  std::optional<Base> base;
};

struct PackedLayer {
  Descriptor descriptor;
  Digest diff_id;
  std::string comment;
  uint64_t members = 0;
  uint64_t uncompressed_bytes = 0;
};

struct PackResult {
  Descriptor manifest;
  std::vector<PackedLayer> layers;   // new ones, lowest first; the base's not among them
  uint64_t members = 0;              // paths in the root file system
  std::vector<std::string> dropped;  // what an image cannot keep, each with its reason
};

// Reads the root file system, writes the layers, the config and the manifest into `destination` and commits it.
// kInvalid: an option; kCorrupt: a tar that is none, or a root file system with what an image must not have
// (overlayfs's attributes, files named like whiteouts, a file where a deployment has a folder); kNoSpace, kIo; the
// destination's.
Result<PackResult> Pack(const PackOptions& options, ImageDestination& destination, OpContext& ctx);

}  // namespace hostapp
