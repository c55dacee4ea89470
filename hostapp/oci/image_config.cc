// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/image_config.h"

#include "hostapp/base/clock.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/json_rules.h"
#include "hostapp/oci/platform_json.h"

namespace hostapp {
namespace {

constexpr size_t kMaxVersionBytes = 256;

Result<std::optional<int64_t>> ParseCreated(const JsonCursor& json) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text, json.OptionalStringAt("created"));
  if (!text) return std::optional<int64_t>();
  const std::optional<int64_t> seconds = ParseTime(*text);
  if (!seconds) return json.Wrong(StrCat("created \"", Escape(text->substr(0, 64)), "\" is no RFC 3339 time"));
  // Go writes the year 1 for "not set".
  if (*seconds < 0) return std::optional<int64_t>();
  return seconds;
}

Result<std::vector<Digest>> ParseDiffIds(const JsonCursor& json, size_t layers) {
  ASSIGN_OR_RETURN(const JsonCursor rootfs, json.Member("rootfs"));
  TRY(RefuseCaseVariants(rootfs, {"type", "diff_ids"}));
  ASSIGN_OR_RETURN(const std::string type, rootfs.StringAt("type"));
  if (type != "layers") return rootfs.Wrong("type must be \"layers\"");
  ASSIGN_OR_RETURN(const JsonCursor list, rootfs.Member("diff_ids"));
  ASSIGN_OR_RETURN(const std::vector<JsonCursor> elements, list.Elements());
  if (elements.size() != layers) {
    return list.Wrong(StrCat(elements.size(), " entries where the manifest has ", layers, " layers"));
  }
  std::vector<Digest> out;
  out.reserve(elements.size());
  for (const JsonCursor& element : elements) {
    ASSIGN_OR_RETURN(const std::string text, element.String());
    ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(text).While(element.path()));
    out.push_back(digest);
  }
  return out;
}

Result<Annotations> ParseLabels(const JsonCursor& json) {
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> config, json.OptionalMember("config"));
  if (!config) return Annotations();
  TRY(RefuseCaseVariants(*config, {"Labels"}));
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> labels, config->OptionalMember("Labels"));
  if (!labels) return Annotations();
  return labels->StringMap();
}

}  // namespace

std::optional<std::string> ImageConfig::version() const {
  const auto found = labels.find(kVersionLabel);
  if (found == labels.end()) return std::nullopt;
  const std::string& text = found->second;
  if (text.empty() || text.size() > kMaxVersionBytes || Escape(text) != text) return std::nullopt;
  return text;
}

Result<ImageConfig> ParseImageConfig(std::string bytes, size_t layers) {
  const std::string what = StrCat("config ", Digest::Of(AsBytes(bytes)).Short());
  ASSIGN_OR_RETURN(const Json root, ParseJson(bytes, what, {.max_bytes = kMaxConfigBytes, .max_depth = 32}));
  const JsonCursor json(root, what);
  TRY(RefuseCaseVariants(json, {"architecture", "os", "variant", "os.features", "created", "rootfs", "config"}));
  ImageConfig out;
  ASSIGN_OR_RETURN(out.platform, ParsePlatformMembers(json));
  ASSIGN_OR_RETURN(out.created, ParseCreated(json));
  ASSIGN_OR_RETURN(out.diff_ids, ParseDiffIds(json, layers));
  ASSIGN_OR_RETURN(out.labels, ParseLabels(json));
  out.bytes = std::move(bytes);
  return out;
}

}  // namespace hostapp
