// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/descriptor.h"

#include <array>
#include <limits>

#include "hostapp/base/strings.h"
#include "hostapp/oci/json_rules.h"
#include "hostapp/oci/platform_json.h"

namespace hostapp {
namespace {

constexpr size_t kMaxMediaTypeBytes = 255;  // RFC 6838: 127 on each side of the slash

bool IsMediaTypeCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$&-^_.+").find(c) != std::string_view::npos;
}

bool IsMediaType(std::string_view text) {
  if (text.size() > kMaxMediaTypeBytes) return false;
  const size_t slash = text.find('/');
  if (slash == 0 || slash == std::string_view::npos || slash + 1 == text.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i != slash && !IsMediaTypeCharacter(text[i])) return false;
  }
  return true;
}

Result<std::string> ParseMediaType(const JsonCursor& json) {
  ASSIGN_OR_RETURN(std::string text, json.String());
  if (!IsMediaType(text)) return json.Wrong("not a media type");
  return text;
}

Result<Platform> ParsePlatform(const JsonCursor& json) {
  TRY(RefuseCaseVariants(json, {"os", "architecture", "variant", "os.features"}));
  return ParsePlatformMembers(json);
}

// Nothing may be read from `data` that the digest does not vouch for, even where nobody asks for it.
Status CheckInlineData(const JsonCursor& json, const Descriptor& descriptor) {
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> data, json.OptionalMember("data"));
  if (!data) return Ok();
  ASSIGN_OR_RETURN(const std::string text, data->String());
  const std::optional<std::string> bytes = Base64Decode(text);
  if (!bytes) return data->Wrong("not base64");
  if (bytes->size() != descriptor.size) {
    return data->Wrong(StrCat("has ", bytes->size(), " bytes where the descriptor says ", descriptor.size));
  }
  if (HashOf(AsBytes(*bytes), descriptor.digest.algorithm()) != descriptor.digest.value()) {
    return data->Wrong("does not have the descriptor's digest");
  }
  return Ok();
}

Json ToJson(const Platform& platform) {
  Json::Object out{{"os", platform.os}, {"architecture", platform.architecture}};
  if (!platform.variant.empty()) out["variant"] = platform.variant;
  if (platform.os_features.empty()) return out;
  Json::Array features;
  for (const std::string& feature : platform.os_features) features.emplace_back(feature);
  out["os.features"] = std::move(features);
  return out;
}

}  // namespace

bool IsLayerMediaType(std::string_view type) {
  constexpr std::array kTypes = {media_type::kOciLayerTar,
                                 media_type::kOciLayerGzip,
                                 media_type::kOciLayerZstd,
                                 media_type::kDockerLayerTar,
                                 media_type::kDockerLayerGzip,
                                 media_type::kDockerLayerZstd,
                                 std::string_view("application/vnd.oci.image.layer.nondistributable.v1.tar"),
                                 std::string_view("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
                                 std::string_view("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"),
                                 std::string_view("application/vnd.docker.image.rootfs.foreign.diff.tar"),
                                 std::string_view("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")};
  for (const std::string_view known : kTypes) {
    if (type == known) return true;
  }
  return false;
}

std::string Platform::ToString() const {
  std::string out = StrCat(os, '/', architecture);
  if (!variant.empty()) out += StrCat('/', variant);
  for (const std::string& feature : os_features) out += StrCat(" with ", feature);
  return out;
}

Platform HostPlatform() {
  Platform platform{.os = "linux", .architecture = {}, .variant = {}, .os_features = {}};
#if defined(__x86_64__)
  platform.architecture = "amd64";
#elif defined(__aarch64__)
  platform.architecture = "arm64";
#elif defined(__arm__) && __ARM_ARCH >= 7
  platform.architecture = "arm";
  platform.variant = "v7";
#elif defined(__arm__)
  platform.architecture = "arm";
  platform.variant = __ARM_ARCH == 6 ? "v6" : "v5";
#elif defined(__i386__)
  platform.architecture = "386";
#elif defined(__riscv) && __riscv_xlen == 64
  platform.architecture = "riscv64";
#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
  platform.architecture = "ppc64le";
#elif defined(__s390x__)
  platform.architecture = "s390x";
#elif defined(__loongarch64)
  platform.architecture = "loong64";
#elif defined(__mips64) && defined(__MIPSEL__)
  platform.architecture = "mips64le";
#else
#error "what does Go call this architecture?"
#endif
  return platform;
}

Result<Descriptor> ParseDescriptor(const JsonCursor& json) {
  TRY(RefuseCaseVariants(json, {"mediaType", "digest", "size", "annotations", "platform", "artifactType", "data"}));
  ASSIGN_OR_RETURN(const JsonCursor type, json.Member("mediaType"));
  ASSIGN_OR_RETURN(std::string media_type, ParseMediaType(type));
  ASSIGN_OR_RETURN(const std::string digest_text, json.StringAt("digest"));
  ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(digest_text).While(json.path()));
  ASSIGN_OR_RETURN(const int64_t size, json.IntAt("size", 0, std::numeric_limits<int64_t>::max()));
  Descriptor out{.media_type = std::move(media_type),
                 .digest = digest,
                 .size = static_cast<uint64_t>(size),
                 .annotations = {},
                 .platform = {},
                 .artifact_type = {}};
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> annotations, json.OptionalMember("annotations"));
  if (annotations) {
    ASSIGN_OR_RETURN(out.annotations, annotations->StringMap());
  }
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> platform, json.OptionalMember("platform"));
  if (platform) {
    ASSIGN_OR_RETURN(out.platform, ParsePlatform(*platform));
  }
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> artifact_type, json.OptionalMember("artifactType"));
  if (artifact_type) {
    ASSIGN_OR_RETURN(out.artifact_type, ParseMediaType(*artifact_type));
  }
  TRY(CheckInlineData(json, out));
  return out;
}

Json ToJson(const Descriptor& descriptor) {
  Json::Object out{{"mediaType", descriptor.media_type},
                   {"digest", descriptor.digest.ToString()},
                   {"size", static_cast<int64_t>(descriptor.size)}};
  if (!descriptor.annotations.empty()) {
    Json::Object annotations;
    for (const auto& [key, value] : descriptor.annotations) annotations[key] = value;
    out["annotations"] = std::move(annotations);
  }
  if (descriptor.platform) out["platform"] = ToJson(*descriptor.platform);
  if (!descriptor.artifact_type.empty()) out["artifactType"] = descriptor.artifact_type;
  return out;
}

}  // namespace hostapp
