// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/json_rules.h"

#include "hostapp/base/strings.h"

namespace hostapp {

Status RefuseCaseVariants(const JsonCursor& object, std::initializer_list<std::string_view> known) {
  const Json::Object* members = object.json().AsObject();
  if (members == nullptr) return object.Wrong("not an object");
  for (const auto& [key, value] : *members) {
    for (const std::string_view name : known) {
      if (key != name && ToLower(key) == ToLower(name)) {
        return object.Wrong(StrCat("the key \"", Escape(key), "\" must be written \"", name, "\""));
      }
    }
  }
  return Ok();
}

}  // namespace hostapp
