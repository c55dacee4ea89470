// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/manifest.h"

#include <algorithm>
#include <map>

#include "hostapp/base/strings.h"
#include "hostapp/oci/json_rules.h"

namespace hostapp {
namespace {

enum class Kind { kManifest, kIndex };

// What a media type says, where it says something.
struct TypeMeaning {
  enum class Says { kNothing, kKind, kWrong } says = Says::kNothing;
  Kind kind = Kind::kManifest;
};

// "application/json; charset=utf-8" → "application/json"
std::string EssenceOf(std::string_view media_type) { return ToLower(Trim(media_type.substr(0, media_type.find(';')))); }

TypeMeaning MeaningOf(std::string_view essence) {
  using Says = TypeMeaning::Says;
  if (essence == media_type::kOciManifest || essence == media_type::kDockerManifest) {
    return {Says::kKind, Kind::kManifest};
  }
  if (essence == media_type::kOciIndex || essence == media_type::kDockerList) return {Says::kKind, Kind::kIndex};
  // What servers say that do not know: the document must speak for itself.
  if (essence.empty() || essence == "application/json" || essence == "application/octet-stream" ||
      essence == "text/plain") {
    return {Says::kNothing, Kind::kManifest};
  }
  return {Says::kWrong, Kind::kManifest};
}

Result<std::optional<Kind>> KindByType(std::string_view media_type, std::string_view who) {
  const std::string essence = EssenceOf(media_type);
  const TypeMeaning meaning = MeaningOf(essence);
  switch (meaning.says) {
    case TypeMeaning::Says::kNothing:
      return std::optional<Kind>();
    case TypeMeaning::Says::kKind:
      return std::optional<Kind>(meaning.kind);
    case TypeMeaning::Says::kWrong:
      break;
  }
  if (essence == "text/html") {
    return Error(Errc::kCorrupt, StrCat(who, " is text/html: a web page answered, not a registry"));
  }
  if (essence.find("manifest.v1+") != std::string::npos && essence.find("docker") != std::string::npos) {
    return Error(Errc::kCorrupt, StrCat(who, " is Docker schema 1, which cannot be verified; push the image again"));
  }
  return Error(Errc::kCorrupt, StrCat(who, " is \"", Escape(essence.substr(0, 160)), "\", no manifest and no index"));
}

Result<Kind> KindByShape(const JsonCursor& json) {
  const Json::Object& members = *json.json().AsObject();
  const auto has = [&](std::string_view key) {
    const auto found = members.find(key);
    return found != members.end() && !found->second.is_null();
  };
  const auto version = members.find("schemaVersion");
  const bool says_one = version != members.end() && version->second == Json(1);
  if (has("fsLayers") || says_one) {
    return json.Wrong("a Docker schema 1 manifest, which cannot be verified; push the image again");
  }
  const bool manifest = has("layers") || has("config");
  if (manifest && has("manifests")) return json.Wrong("both a manifest and an index");
  if (manifest) return Kind::kManifest;
  if (has("manifests")) return Kind::kIndex;
  return json.Wrong("neither a manifest (\"config\", \"layers\") nor an index (\"manifests\")");
}

Result<Kind> DecideKind(const JsonCursor& json, std::string_view came_with) {
  ASSIGN_OR_RETURN(const Kind shape, KindByShape(json));
  ASSIGN_OR_RETURN(const std::optional<std::string> own, json.OptionalStringAt("mediaType"));
  ASSIGN_OR_RETURN(const std::optional<Kind> by_own, KindByType(own.value_or(""), StrCat(json.path(), ".mediaType")));
  ASSIGN_OR_RETURN(const std::optional<Kind> by_outer,
                   KindByType(came_with, StrCat(json.path(), ": the media type it came with")));
  // A document that names a generic type for itself names a wrong one.
  if (own && !by_own) return json.Wrong(StrCat("mediaType \"", Escape(*own), "\" is no manifest's and no index's"));
  if (by_own && by_outer && EssenceOf(*own) != EssenceOf(came_with)) {
    return json.Wrong(StrCat("mediaType \"", Escape(*own), "\" where it came as \"", Escape(came_with), "\""));
  }
  if ((by_own && *by_own != shape) || (by_outer && *by_outer != shape)) {
    return json.Wrong(StrCat("has the shape of ", shape == Kind::kIndex ? "an index" : "a manifest",
                             " and the media type of the other"));
  }
  return shape;
}

// Two sizes for one digest: one of them is a lie, and which one is believed would depend on the reader.
Status CheckSizesAgree(const JsonCursor& json, const std::vector<const Descriptor*>& descriptors) {
  std::map<Digest, uint64_t> sizes;
  for (const Descriptor* descriptor : descriptors) {
    const auto [known, added] = sizes.emplace(descriptor->digest, descriptor->size);
    if (!added && known->second != descriptor->size) {
      return json.Wrong(
          StrCat(descriptor->digest.Short(), " has two sizes, ", known->second, " and ", descriptor->size));
    }
  }
  return Ok();
}

Result<std::vector<Descriptor>> ParseDescriptors(const JsonCursor& json, size_t most) {
  ASSIGN_OR_RETURN(const std::vector<JsonCursor> elements, json.Elements());
  if (elements.size() > most) return json.Wrong(StrCat(elements.size(), " entries, more than the ", most, " allowed"));
  std::vector<Descriptor> out;
  out.reserve(elements.size());
  for (const JsonCursor& element : elements) {
    ASSIGN_OR_RETURN(Descriptor descriptor, ParseDescriptor(element));
    out.push_back(std::move(descriptor));
  }
  return out;
}

Result<Annotations> ParseAnnotations(const JsonCursor& json) {
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> annotations, json.OptionalMember("annotations"));
  if (!annotations) return Annotations();
  return annotations->StringMap();
}

Result<Manifest> ParseManifestBody(const JsonCursor& json, Document document) {
  ASSIGN_OR_RETURN(const JsonCursor config_json, json.Member("config"));
  ASSIGN_OR_RETURN(Descriptor config, ParseDescriptor(config_json));
  ASSIGN_OR_RETURN(const JsonCursor layers_json, json.Member("layers"));
  const Digest digest = document.digest();
  Manifest out{.document = std::move(document),
               .digest = digest,
               .config = std::move(config),
               .layers = {},
               .annotations = {},
               .subject = {},
               .artifact_type = {}};
  ASSIGN_OR_RETURN(out.layers, ParseDescriptors(layers_json, kMaxLayers));
  ASSIGN_OR_RETURN(out.annotations, ParseAnnotations(json));
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> subject, json.OptionalMember("subject"));
  if (subject) {
    ASSIGN_OR_RETURN(out.subject, ParseDescriptor(*subject));
  }
  ASSIGN_OR_RETURN(std::optional<std::string> artifact_type, json.OptionalStringAt("artifactType"));
  out.artifact_type = std::move(artifact_type).value_or("");
  std::vector<const Descriptor*> all = {&out.config};
  for (const Descriptor& layer : out.layers) all.push_back(&layer);
  TRY(CheckSizesAgree(json, all));
  return out;
}

Result<Index> ParseIndexBody(const JsonCursor& json, Document document) {
  ASSIGN_OR_RETURN(const JsonCursor manifests, json.Member("manifests"));
  const Digest digest = document.digest();
  Index out{.document = std::move(document), .digest = digest, .manifests = {}, .annotations = {}};
  ASSIGN_OR_RETURN(out.manifests, ParseDescriptors(manifests, kMaxIndexEntries));
  ASSIGN_OR_RETURN(out.annotations, ParseAnnotations(json));
  std::vector<const Descriptor*> all;
  for (const Descriptor& manifest : out.manifests) all.push_back(&manifest);
  TRY(CheckSizesAgree(json, all));
  return out;
}

// One name for each of the platforms that have two: containers' tools write either.
Platform Normalised(Platform platform) {
  if (platform.architecture == "arm64" && platform.variant == "v8") platform.variant.clear();
  if (platform.architecture == "amd64" && platform.variant == "v1") platform.variant.clear();
  if (platform.architecture == "arm" && platform.variant.empty()) platform.variant = "v7";
  return platform;
}

// Features that an entry asks for must be there; ours that it does not use are no obstacle.
bool Matches(const Platform& entry, const Platform& wanted) {
  const Platform a = Normalised(entry);
  const Platform b = Normalised(wanted);
  const bool features = std::all_of(a.os_features.begin(), a.os_features.end(), [&](const std::string& feature) {
    return std::find(b.os_features.begin(), b.os_features.end(), feature) != b.os_features.end();
  });
  return features && a.os == b.os && a.architecture == b.architecture && a.variant == b.variant;
}

}  // namespace

Result<std::variant<Manifest, Index>> ParseDocument(Document document) {
  const std::string what = StrCat("manifest ", document.digest().Short());
  ASSIGN_OR_RETURN(const Json root, ParseJson(document.bytes, what, {.max_bytes = kMaxManifestBytes, .max_depth = 32}));
  const JsonCursor json(root, what);
  TRY(RefuseCaseVariants(json, {"schemaVersion", "mediaType", "config", "layers", "manifests", "annotations", "subject",
                                "artifactType", "fsLayers"}));
  ASSIGN_OR_RETURN(const Kind kind, DecideKind(json, document.media_type));
  TRY(json.IntAt("schemaVersion", 2, 2).status());
  if (kind == Kind::kIndex) {
    ASSIGN_OR_RETURN(Index index, ParseIndexBody(json, std::move(document)));
    return std::variant<Manifest, Index>(std::move(index));
  }
  ASSIGN_OR_RETURN(Manifest manifest, ParseManifestBody(json, std::move(document)));
  return std::variant<Manifest, Index>(std::move(manifest));
}

Result<Manifest> ParseManifest(Document document) {
  ASSIGN_OR_RETURN(auto parsed, ParseDocument(std::move(document)));
  if (Manifest* manifest = std::get_if<Manifest>(&parsed)) return std::move(*manifest);
  return Error(Errc::kCorrupt,
               StrCat("manifest ", std::get<Index>(parsed).digest.Short(), ": an index where only a manifest will do"));
}

Result<Descriptor> SelectPlatform(const Index& index, const Platform& platform) {
  for (const Descriptor& entry : index.manifests) {
    if (entry.platform && Matches(*entry.platform, platform)) return entry;
  }
  if (index.manifests.size() == 1 && !index.manifests[0].platform) return index.manifests[0];
  std::vector<std::string> there;
  for (const Descriptor& entry : index.manifests) {
    const std::string name = entry.platform ? Escape(entry.platform->ToString()) : "one without a platform";
    if (std::find(there.begin(), there.end(), name) == there.end()) there.push_back(name);
  }
  return Error(Errc::kNotFound, StrCat("index ", index.digest.Short(), ": nothing for ", platform.ToString(),
                                       "; there is ", there.empty() ? "nothing" : Join(there, ", ")));
}

Status CheckIsImage(const Manifest& manifest) {
  const auto wrong = [&](std::string_view rule) {
    return Error(Errc::kCorrupt, StrCat("manifest ", manifest.digest.Short(), ": ", rule));
  };
  const std::string& config_type = manifest.config.media_type;
  const bool image_config = config_type == media_type::kOciConfig || config_type == media_type::kDockerConfig;
  if (!manifest.artifact_type.empty() && manifest.artifact_type != media_type::kOciConfig &&
      manifest.artifact_type != media_type::kDockerConfig) {
    return wrong(StrCat("an artifact of type \"", Escape(manifest.artifact_type.substr(0, 160)), "\", not an image"));
  }
  if (!image_config) return wrong(StrCat("config of type \"", Escape(config_type), "\" is no image's"));
  if (manifest.layers.empty()) return wrong("no layers: not the image of a system");
  for (size_t i = 0; i < manifest.layers.size(); ++i) {
    const std::string& type = manifest.layers[i].media_type;
    if (!IsLayerMediaType(type)) return wrong(StrCat("layer ", i + 1, " of unknown type \"", Escape(type), "\""));
  }
  return Ok();
}

}  // namespace hostapp
