// SPDX-License-Identifier: Apache-2.0
// Every JSON document of an image: manifest, index, config, the files of a layout.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "hostapp/base/json.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/layout_index.h"
#include "hostapp/oci/manifest.h"

namespace hostapp {
namespace {

void Require(bool condition) {
  if (!condition) abort();
}

void CheckDescriptor(const Descriptor& descriptor) {
  const Json json = ToJson(descriptor);
  const auto back = ParseDescriptor(JsonCursor(json, "descriptor"));
  Require(back.ok() && *back == descriptor);
}

void CheckIndex(const Index& index) {
  for (const Descriptor& entry : index.manifests) CheckDescriptor(entry);
  const auto selected = SelectPlatform(index, HostPlatform());
  if (!selected.ok()) Require(selected.error().code() == Errc::kNotFound);
  (void)SelectLayoutEntry(index, Reference{});
  if (index.manifests.empty()) return;
  const auto text = WithLayoutEntry(index.document.bytes, index.manifests[0], "tag");
  // An index.json that names something else for itself is refused there.
  if (!text.ok()) return;
  Require(ParseDocument({.media_type = "", .bytes = *text}).ok());
}

void CheckManifest(const Manifest& manifest) {
  CheckDescriptor(manifest.config);
  for (const Descriptor& layer : manifest.layers) CheckDescriptor(layer);
  Require(manifest.layers.size() <= kMaxLayers);
  (void)CheckIsImage(manifest);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const std::string_view type : {std::string_view(), media_type::kOciManifest, media_type::kOciIndex}) {
    const auto parsed = ParseDocument({.media_type = std::string(type), .bytes = text});
    if (!parsed.ok()) {
      Require(parsed.error().code() == Errc::kCorrupt);
      continue;
    }
    if (const Index* index = std::get_if<Index>(&*parsed)) CheckIndex(*index);
    if (const Manifest* manifest = std::get_if<Manifest>(&*parsed)) CheckManifest(*manifest);
  }
  for (const size_t layers : {0, 1, 2}) {
    const auto config = ParseImageConfig(text, layers);
    if (!config.ok()) continue;
    Require(config->diff_ids.size() == layers);
    const auto version = config->version();
    if (version) Require(!version->empty() && version->size() <= 256);
  }
  (void)CheckLayoutFile(text);
  const auto json = ParseJson(text, "text");
  if (json.ok()) {
    const std::string canonical = json->Dump();
    const auto again = ParseJson(canonical, "text", {.max_bytes = size_t{64} << 20});
    Require(again.ok() && again->Dump() == canonical);
  }
  return 0;
}
