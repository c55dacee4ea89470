// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/http.h"

#include <array>
#include <ctime>

#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr size_t kLongestQuote = 200;

std::string Shorten(std::string_view text) {
  const std::string escaped = Escape(text.substr(0, kLongestQuote));
  return text.size() > kLongestQuote ? escaped + "…" : escaped;
}

// "Sun, 06 Nov 1994 08:49:37 GMT", the one form that RFC 9110 lets servers write.
std::optional<int64_t> ParseHttpDate(std::string_view value) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (value.size() != 29 || !value.ends_with(" GMT") || value.substr(3, 2) != ", ") return std::nullopt;
  for (size_t i = 0; i < kMonths.size(); ++i) {
    if (value.substr(8, 3) != kMonths[i]) continue;
    const std::string month = StrCat(i < 9 ? "0" : "", i + 1);
    return ParseTime(StrCat(value.substr(12, 4), "-", month, "-", value.substr(5, 2), "T", value.substr(17, 8), "Z"));
  }
  return std::nullopt;
}

}  // namespace

void HttpHeaders::Add(std::string_view name, std::string_view value) {
  headers_.emplace_back(ToLower(name), std::string(value));
}

std::optional<std::string> HttpHeaders::Find(std::string_view name) const {
  for (const auto& [key, value] : headers_) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::vector<std::string> HttpHeaders::FindAll(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : headers_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::optional<uint64_t> HttpHead::content_length() const {
  const std::optional<std::string> value = headers.Find("content-length");
  if (!value) return std::nullopt;
  return ParseUint64(*value);
}

std::string HttpHead::content_type() const {
  const std::string value = headers.Find("content-type").value_or("");
  return ToLower(Trim(std::string_view(value).substr(0, value.find(';'))));
}

std::optional<uint64_t> ParseRetryAfter(std::string_view value, int64_t now) {
  value = Trim(value);
  const bool digits = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
  // More than 64 bits of seconds is as good as the most; a cap comes anyway.
  if (digits) return ParseUint64(value).value_or(UINT64_MAX);
  const std::optional<int64_t> date = ParseHttpDate(value);
  if (!date) return std::nullopt;
  return *date > now ? static_cast<uint64_t>(*date - now) : 0;
}

std::optional<ContentRange> ParseContentRange(std::string_view value) {
  value = Trim(value);
  if (!ToLower(value.substr(0, 6)).starts_with("bytes ")) return std::nullopt;
  value.remove_prefix(6);
  const size_t dash = value.find('-');
  const size_t slash = value.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash) return std::nullopt;
  const std::optional<uint64_t> first = ParseUint64(value.substr(0, dash));
  const std::optional<uint64_t> last = ParseUint64(value.substr(dash + 1, slash - dash - 1));
  const std::string_view total_text = value.substr(slash + 1);
  const std::optional<uint64_t> total = ParseUint64(total_text);
  if (!first || !last || *last < *first || (!total && total_text != "*")) return std::nullopt;
  if (total && *last >= *total) return std::nullopt;
  return ContentRange{.first = *first, .last = *last, .total = total};
}

std::string DescribeErrorBody(std::string_view body) {
  const Result<Json> json = ParseJson(body, "error");
  if (!json.ok()) {
    const std::string_view text = Trim(body);
    // A page for people says nothing here.
    if (text.starts_with('<')) return "";
    return Shorten(Trim(text.substr(0, text.find('\n'))));
  }
  const JsonCursor root(*json, "error");
  const auto errors = root.OptionalMember("errors");
  if (!errors.ok() || !errors->has_value()) return "";
  const auto elements = (*errors)->Elements();
  if (!elements.ok() || elements->empty()) return "";
  const auto code = elements->front().OptionalStringAt("code");
  const auto message = elements->front().OptionalStringAt("message");
  const std::string words = message.ok() ? message->value_or("") : "";
  if (!code.ok() || !code->has_value()) return Shorten(words);
  return Shorten(words.empty() ? **code : StrCat(**code, ": ", words));
}

}  // namespace hostapp
