// SPDX-License-Identifier: Apache-2.0
// JSON, strictly: RFC 8259 in UTF-8, no duplicate keys, no byte order mark, bounded depth and size.
//
// Reading: ParseJson(), then a JsonCursor, which knows its path so that an error says "layers[2].size: …".
// Writing: Dump() is canonical (keys sorted, no white space): equal values give equal bytes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hostapp/base/result.h"

namespace hostapp {

class Json {
 public:
  using Array = std::vector<Json>;
  using Object = std::map<std::string, Json, std::less<>>;

  Json() = default;                                             // null
  Json(std::nullptr_t) {}                                       // NOLINT: literals convert
  Json(bool value) : value_(value) {}                           // NOLINT
  Json(int value) : value_(int64_t{value}) {}                   // NOLINT
  Json(int64_t value) : value_(value) {}                        // NOLINT
  Json(uint64_t value);                                         // NOLINT: at most 2^63-1, a larger one is a bug
  Json(double value) : value_(value) {}                         // NOLINT
  Json(const char* value) : value_(std::string(value)) {}       // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  Json(std::string value) : value_(std::move(value)) {}         // NOLINT
  Json(Array value) : value_(std::move(value)) {}               // NOLINT
  Json(Object value) : value_(std::move(value)) {}              // NOLINT
  // A value, or null.
  template <typename T>
  Json(const std::optional<T>& value) {  // NOLINT
    if (value) *this = Json(*value);
  }

  bool is_null() const { return std::holds_alternative<std::monostate>(value_); }
  const bool* AsBool() const { return std::get_if<bool>(&value_); }
  const int64_t* AsInt() const { return std::get_if<int64_t>(&value_); }
  const double* AsDouble() const { return std::get_if<double>(&value_); }
  const std::string* AsString() const { return std::get_if<std::string>(&value_); }
  const Array* AsArray() const { return std::get_if<Array>(&value_); }
  const Object* AsObject() const { return std::get_if<Object>(&value_); }
  Array* AsArray() { return std::get_if<Array>(&value_); }
  Object* AsObject() { return std::get_if<Object>(&value_); }

  // Text that is not UTF-8 is written with each bad byte as U+FFFD: output never breaks a reader.
  std::string Dump() const;
  // For people: two spaces a level.
  std::string Pretty() const;

  bool operator==(const Json&) const = default;

 private:
  std::variant<std::monostate, bool, int64_t, double, std::string, Array, Object> value_;
};

struct JsonLimits {
  size_t max_bytes = size_t{4} << 20;
  size_t max_depth = 32;
};

// kCorrupt: not JSON, a duplicate key, over a limit, a number out of range. `what` names the document in the error.
Result<Json> ParseJson(std::string_view text, std::string_view what, const JsonLimits& limits = {});

// A value and where it stands. Does not own: the Json outlives it. Every error is kCorrupt and names document and path.
class JsonCursor {
 public:
  JsonCursor(const Json& json, std::string_view what) : json_(&json), path_(what) {}

  const Json& json() const { return *json_; }
  const std::string& path() const { return path_; }

  Result<JsonCursor> Member(std::string_view key) const;                         // must be there
  Result<std::optional<JsonCursor>> OptionalMember(std::string_view key) const;  // absent and null are the same
  Result<std::vector<JsonCursor>> Elements() const;
  Result<std::vector<std::pair<std::string, JsonCursor>>> Members() const;

  Result<std::string> String() const;
  Result<bool> Bool() const;
  Result<int64_t> Int(int64_t least, int64_t most) const;
  // An object of texts: annotations, labels.
  Result<std::map<std::string, std::string, std::less<>>> StringMap() const;

  // Member() and its value in one step.
  Result<std::string> StringAt(std::string_view key) const;
  Result<int64_t> IntAt(std::string_view key, int64_t least, int64_t most) const;
  Result<std::optional<std::string>> OptionalStringAt(std::string_view key) const;

  Error Wrong(std::string_view rule) const;

 private:
  const Json* json_;
  std::string path_;
};

}  // namespace hostapp
