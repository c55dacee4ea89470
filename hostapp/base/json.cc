// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/json.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

using Library = nlohmann::json;

// Builds a Json from the library's events; stops at the first broken rule and keeps its words.
class Builder {
 public:
  explicit Builder(size_t max_depth) : max_depth_(max_depth) {}

  bool null() { return Put(Json()); }
  bool boolean(bool value) { return Put(Json(value)); }
  bool number_integer(int64_t value) { return Put(Json(value)); }
  bool number_unsigned(uint64_t value) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return Fail("a number beyond 2^63-1");
    return Put(Json(static_cast<int64_t>(value)));
  }
  bool number_float(double value, const std::string& /*text*/) { return Put(Json(value)); }
  bool string(std::string& value) { return Put(Json(std::move(value))); }
  bool binary(Library::binary_t& /*value*/) { return Fail("binary"); }
  bool start_object(size_t /*size*/) { return Open(Json(Json::Object())); }
  bool key(std::string& value) {
    if (open_.back().json->AsObject()->contains(value)) return Fail(StrCat("the key \"", Escape(value), "\" twice"));
    open_.back().key = std::move(value);
    return true;
  }
  bool end_object() { return Close(); }
  bool start_array(size_t /*size*/) { return Open(Json(Json::Array())); }
  bool end_array() { return Close(); }
  bool parse_error(size_t position, const std::string& /*token*/, const Library::exception& error) {
    if (error.id == 406) return Fail(StrCat("a number out of range near byte ", position));
    return Fail(StrCat("not JSON near byte ", position));
  }

  const std::string& problem() const { return problem_; }
  Json Take() { return std::move(root_); }

 private:
  struct Level {
    Json* json;
    std::string key;
  };

  bool Fail(std::string problem) {
    problem_ = std::move(problem);
    return false;
  }
  Json* Place(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = open_.back();
    if (Json::Array* array = level.json->AsArray()) return &array->emplace_back(std::move(value));
    return &level.json->AsObject()->emplace(std::move(level.key), std::move(value)).first->second;
  }
  bool Put(Json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(Json container) {
    if (open_.size() >= max_depth_) return Fail(StrCat("nested deeper than ", max_depth_));
    open_.push_back({Place(std::move(container)), {}});
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  size_t max_depth_;
  Json root_;
  // Pointers stay valid: only the innermost container grows, and it is the last element of the one around it.
  std::vector<Level> open_;
  std::string problem_;
};

Library ToLibrary(const Json& json) {
  if (const bool* value = json.AsBool()) return *value;
  if (const int64_t* value = json.AsInt()) return *value;
  if (const double* value = json.AsDouble()) return *value;
  if (const std::string* value = json.AsString()) return *value;
  if (const Json::Array* array = json.AsArray()) {
    Library out = Library::array();
    for (const Json& element : *array) out.push_back(ToLibrary(element));
    return out;
  }
  if (const Json::Object* object = json.AsObject()) {
    Library out = Library::object();
    for (const auto& [key, value] : *object) out[key] = ToLibrary(value);
    return out;
  }
  return nullptr;
}

std::string DumpWith(const Json& json, int indent) {
  return ToLibrary(json).dump(indent, ' ', false, Library::error_handler_t::replace);
}

}  // namespace

Json::Json(uint64_t value) : value_(static_cast<int64_t>(value)) {
  CHECK(value <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()));
}

std::string Json::Dump() const { return DumpWith(*this, -1); }
std::string Json::Pretty() const { return DumpWith(*this, 2); }

Result<Json> ParseJson(std::string_view text, std::string_view what, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(Errc::kCorrupt,
                 StrCat(what, ": ", text.size(), " bytes, more than the ", limits.max_bytes, " allowed"));
  }
  // The library skips a byte order mark; RFC 8259 forbids one.
  if (text.starts_with("\xef\xbb\xbf")) return Error(Errc::kCorrupt, StrCat(what, ": begins with a byte order mark"));
  // The library takes a NUL for the end of the text, and what follows it for nothing.
  if (text.find('\0') != std::string_view::npos) return Error(Errc::kCorrupt, StrCat(what, ": a NUL byte in it"));
  Builder builder(limits.max_depth);
  if (!Library::sax_parse(text, &builder)) return Error(Errc::kCorrupt, StrCat(what, ": ", builder.problem()));
  return builder.Take();
}

Error JsonCursor::Wrong(std::string_view rule) const { return Error(Errc::kCorrupt, StrCat(path_, ": ", rule)); }

Result<std::optional<JsonCursor>> JsonCursor::OptionalMember(std::string_view key) const {
  const Json::Object* object = json_->AsObject();
  if (object == nullptr) return Wrong("not an object");
  const auto found = object->find(key);
  if (found == object->end() || found->second.is_null()) return std::optional<JsonCursor>();
  return std::optional<JsonCursor>(JsonCursor(found->second, StrCat(path_, ".", Escape(key))));
}

Result<JsonCursor> JsonCursor::Member(std::string_view key) const {
  ASSIGN_OR_RETURN(std::optional<JsonCursor> member, OptionalMember(key));
  if (!member) return Wrong(StrCat("\"", Escape(key), "\" is missing"));
  return *std::move(member);
}

Result<std::vector<JsonCursor>> JsonCursor::Elements() const {
  const Json::Array* array = json_->AsArray();
  if (array == nullptr) return Wrong("not an array");
  std::vector<JsonCursor> out;
  out.reserve(array->size());
  for (size_t i = 0; i < array->size(); ++i) out.emplace_back((*array)[i], StrCat(path_, "[", i, "]"));
  return out;
}

Result<std::vector<std::pair<std::string, JsonCursor>>> JsonCursor::Members() const {
  const Json::Object* object = json_->AsObject();
  if (object == nullptr) return Wrong("not an object");
  std::vector<std::pair<std::string, JsonCursor>> out;
  out.reserve(object->size());
  for (const auto& [key, value] : *object) out.emplace_back(key, JsonCursor(value, StrCat(path_, ".", Escape(key))));
  return out;
}

Result<std::string> JsonCursor::String() const {
  if (const std::string* value = json_->AsString()) return *value;
  return Wrong("not a string");
}

Result<bool> JsonCursor::Bool() const {
  if (const bool* value = json_->AsBool()) return *value;
  return Wrong("not true or false");
}

Result<int64_t> JsonCursor::Int(int64_t least, int64_t most) const {
  const int64_t* value = json_->AsInt();
  if (value == nullptr) return Wrong("not a whole number");
  if (*value < least || *value > most) return Wrong(StrCat(*value, " is not in ", least, "..", most));
  return *value;
}

Result<std::map<std::string, std::string, std::less<>>> JsonCursor::StringMap() const {
  std::map<std::string, std::string, std::less<>> out;
  ASSIGN_OR_RETURN(const auto members, Members());
  for (const auto& [key, value] : members) {
    ASSIGN_OR_RETURN(out[key], value.String());
  }
  return out;
}

Result<std::string> JsonCursor::StringAt(std::string_view key) const {
  ASSIGN_OR_RETURN(const JsonCursor member, Member(key));
  return member.String();
}

Result<int64_t> JsonCursor::IntAt(std::string_view key, int64_t least, int64_t most) const {
  ASSIGN_OR_RETURN(const JsonCursor member, Member(key));
  return member.Int(least, most);
}

Result<std::optional<std::string>> JsonCursor::OptionalStringAt(std::string_view key) const {
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> member, OptionalMember(key));
  if (!member) return std::optional<std::string>();
  ASSIGN_OR_RETURN(std::string value, member->String());
  return std::optional<std::string>(std::move(value));
}

}  // namespace hostapp
