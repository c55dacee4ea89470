// SPDX-License-Identifier: Apache-2.0
// OCI image-spec "descriptor.md" and the platform of "image-index.md".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/json.h"
#include "hostapp/oci/digest.h"

namespace hostapp {

using Annotations = std::map<std::string, std::string, std::less<>>;

namespace media_type {
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr std::string_view kOciLayerTar = "application/vnd.oci.image.layer.v1.tar";
inline constexpr std::string_view kOciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
inline constexpr std::string_view kOciLayerZstd = "application/vnd.oci.image.layer.v1.tar+zstd";
inline constexpr std::string_view kDockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kDockerLayerTar = "application/vnd.docker.image.rootfs.diff.tar";
inline constexpr std::string_view kDockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr std::string_view kDockerLayerZstd = "application/vnd.docker.image.rootfs.diff.tar.zstd";
}  // namespace media_type

// A layer's media type, OCI's or Docker's, with the old ".nondistributable" and ".foreign" ones (whose urls nobody
// follows: their blobs come from where all others come from).
bool IsLayerMediaType(std::string_view type);

// In GOOS and GOARCH words: "linux", "amd64", "arm" with variant "v7".
struct Platform {
  std::string os;
  std::string architecture;
  std::string variant;  // empty: none
  std::vector<std::string> os_features;

  std::string ToString() const;  // "linux/arm/v7"
  bool operator==(const Platform&) const = default;
};

// The platform of this program: what a device asks for.
Platform HostPlatform();

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size = 0;  // bytes; at most 2^63-1
  Annotations annotations;
  std::optional<Platform> platform;
  std::string artifact_type;  // empty: none

  bool operator==(const Descriptor&) const = default;
};

// kCorrupt, with the path of what is wrong. `urls` are ignored always; inline `data` must have the digest and size.
Result<Descriptor> ParseDescriptor(const JsonCursor& json);
Json ToJson(const Descriptor& descriptor);

}  // namespace hostapp
