// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/platform_json.h"

namespace hostapp {

Result<Platform> ParsePlatformMembers(const JsonCursor& json) {
  Platform platform;
  ASSIGN_OR_RETURN(platform.os, json.StringAt("os"));
  ASSIGN_OR_RETURN(platform.architecture, json.StringAt("architecture"));
  ASSIGN_OR_RETURN(std::optional<std::string> variant, json.OptionalStringAt("variant"));
  platform.variant = std::move(variant).value_or("");
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> features, json.OptionalMember("os.features"));
  if (!features) return platform;
  ASSIGN_OR_RETURN(const std::vector<JsonCursor> elements, features->Elements());
  for (const JsonCursor& element : elements) {
    ASSIGN_OR_RETURN(platform.os_features.emplace_back(), element.String());
  }
  return platform;
}

}  // namespace hostapp
