// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/health_options.h"

#include "hostapp/base/toml.h"

namespace hostapp {
namespace {

constexpr int64_t kMaxSeconds = 86400;

Result<std::chrono::seconds> SecondsAt(const JsonCursor& top, std::string_view key, int64_t least,
                                       std::chrono::seconds otherwise) {
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> value, top.OptionalMember(key));
  if (!value) return otherwise;
  ASSIGN_OR_RETURN(const int64_t seconds, value->Int(least, kMaxSeconds));
  return std::chrono::seconds(seconds);
}

}  // namespace

Status ParseHealthOptions(std::string_view toml, std::string_view what, HealthOptions& options) {
  ASSIGN_OR_RETURN(const Json document, ParseToml(toml, what));
  const JsonCursor top(document, what);
  ASSIGN_OR_RETURN(const std::chrono::seconds timeout, SecondsAt(top, "timeout-seconds", 1, options.timeout));
  ASSIGN_OR_RETURN(options.stability, SecondsAt(top, "stability-seconds", 0, options.stability));
  options.timeout = timeout;
  return Ok();
}

}  // namespace hostapp
