// SPDX-License-Identifier: Apache-2.0
// Manifests and indexes: OCI image-spec v1.1 and Docker's v2 schema 2. Parsed fields and the exact bytes: digests are
// over bytes, nothing is ever serialised again to be hashed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hostapp/oci/descriptor.h"

namespace hostapp {

inline constexpr uint64_t kMaxManifestBytes = uint64_t{4} << 20;
inline constexpr size_t kMaxLayers = 512;
inline constexpr size_t kMaxIndexEntries = 4096;
inline constexpr int kMaxIndexDepth = 2;

// A manifest or an index as it came: `media_type` is what the other side called it (Content-Type, a descriptor), empty
// when nobody said.
struct Document {
  std::string media_type;
  std::string bytes;

  Digest digest() const { return Digest::Of(AsBytes(bytes)); }
};

struct Manifest {
  Document document;
  Digest digest;  // of document.bytes
  Descriptor config;
  std::vector<Descriptor> layers;
  Annotations annotations;
  std::optional<Descriptor> subject;
  std::string artifact_type;
};

struct Index {
  Document document;
  Digest digest;
  std::vector<Descriptor> manifests;
  Annotations annotations;
};

// Decides which of the two a document is. Its own "mediaType", the one it came with and its shape must leave exactly
// one legal reading; a document with both "manifests" and "layers", a Docker schema 1 manifest, more than kMaxLayers
// layers, two descriptors of one digest with different sizes: kCorrupt.
Result<std::variant<Manifest, Index>> ParseDocument(Document document);
// The same where only a manifest will do.
Result<Manifest> ParseManifest(Document document);

// The first manifest for exactly this platform, in the index's order (OCI image-spec "image-index.md"). An entry
// without a platform is no match unless it is the only entry. kNotFound, with the list of what there is.
Result<Descriptor> SelectPlatform(const Index& index, const Platform& platform);

// A host image must be an image: no other artifactType, at least one layer, every layer of a known type. kCorrupt.
Status CheckIsImage(const Manifest& manifest);

}  // namespace hostapp
