// SPDX-License-Identifier: Apache-2.0
// Every JSON document of an image: manifest, index, config, the files of a layout.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <variant>

#include "hostapp/base/json.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/layout_index.h"
#include "hostapp/oci/manifest.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;

void CheckDescriptor(const Descriptor& descriptor) {
  const Json json = ToJson(descriptor);
  const auto back = ParseDescriptor(JsonCursor(json, "descriptor"));
  Require(back.ok() && *back == descriptor);
}

void CheckIndex(const Index& index) {
  for (const Descriptor& entry : index.manifests) CheckDescriptor(entry);
  const auto selected = SelectPlatform(index, HostPlatform());
  if (!selected.ok()) Require(selected.error().code() == Errc::kNotFound);
  for (const char* const tag : {"", "v1", "tag"}) {
    Reference reference{.transport = Reference::Transport::kLayoutDir};
    reference.tag = tag;
    const auto entry = SelectLayoutEntry(index, reference);
    if (entry.ok()) Require(std::find(index.manifests.begin(), index.manifests.end(), *entry) != index.manifests.end());
  }
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

// A value is one thing, and says of no other that it is that.
void CheckValue(const JsonCursor& value) {
  const auto elements = value.Elements();
  const auto members = value.Members();
  const bool number = value.Int(INT64_MIN, INT64_MAX).ok() || value.json().AsDouble() != nullptr;
  const int things =
      int{value.String().ok()} + int{value.Bool().ok()} + int{number} + int{elements.ok()} + int{members.ok()};
  Require(things == (value.json().is_null() ? 0 : 1));
  if (elements.ok()) {
    for (const JsonCursor& element : *elements) CheckValue(element);
  }
  if (!members.ok()) return;
  for (const auto& [key, member] : *members) {
    CheckValue(member);
    Require(value.OptionalStringAt(key).ok() == (member.json().is_null() || member.String().ok()));
    Require(value.IntAt(key, 0, 9).ok() == member.Int(0, 9).ok());
  }
}

void CheckJson(const std::string& text) {
  constexpr JsonLimits kLarge{.max_bytes = size_t{64} << 20};
  Require(!ParseJson(text + "    ", "text", {.max_bytes = 3}).ok());
  const auto json = ParseJson(text, "text");
  if (!json.ok()) return;
  CheckValue(JsonCursor(*json, "text"));
  const std::string canonical = json->Dump();
  for (const std::string& written : {canonical, json->Pretty()}) {
    const auto again = ParseJson(written, "text", kLarge);
    Require(again.ok() && again->Dump() == canonical);
  }
  Require(ParseJson(Json(uint64_t{text.size()}).Dump(), "size").ok());
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const std::string_view type : {std::string_view(), media_type::kOciManifest, media_type::kOciIndex,
                                      std::string_view("text/html; charset=utf-8")}) {
    const auto parsed = ParseDocument({.media_type = std::string(type), .bytes = text});
    const auto manifest_alone = ParseManifest({.media_type = std::string(type), .bytes = text});
    Require(manifest_alone.ok() == (parsed.ok() && std::holds_alternative<Manifest>(*parsed)));
    if (!parsed.ok()) {
      Require(parsed.error().code() == Errc::kCorrupt);
      continue;
    }
    if (const Index* index = std::get_if<Index>(&*parsed)) CheckIndex(*index);
    if (const Manifest* manifest = std::get_if<Manifest>(&*parsed)) CheckManifest(*manifest);
  }
  for (const size_t layers : {size_t{0}, size_t{1}, size_t{2}}) {
    const auto config = ParseImageConfig(text, layers);
    if (!config.ok()) continue;
    Require(config->diff_ids.size() == layers);
    const auto version = config->version();
    if (version) Require(!version->empty() && version->size() <= 256);
  }
  (void)CheckLayoutFile(text);
  CheckJson(text);
  return 0;
}
