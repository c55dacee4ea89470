// SPDX-License-Identifier: Apache-2.0
// OCI image-spec "config.md". Labels are data: never a path, never a command.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/oci/manifest.h"

namespace hostapp {

inline constexpr uint64_t kMaxConfigBytes = uint64_t{4} << 20;
inline constexpr std::string_view kVersionLabel = "org.opencontainers.image.version";
// The kernel's version, as ostree's and bootc's images name it.
inline constexpr std::string_view kKernelLabel = "ostree.linux";

struct ImageConfig {
  std::string bytes;
  Platform platform;
  std::optional<int64_t> created;  // Unix seconds; nothing for a time before 1970 (how Go writes "not set")
  std::vector<Digest> diff_ids;    // uncompressed layers, lowest first
  Annotations labels;

  // The version label: printable, at most 256 bytes; nothing when missing or unfit.
  std::optional<std::string> version() const;
};

// kCorrupt; also when the number of diff_ids is not `layers`.
Result<ImageConfig> ParseImageConfig(std::string bytes, size_t layers);

}  // namespace hostapp
