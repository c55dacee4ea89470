// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/json_string.h"

#include <cstddef>

namespace hostapp::initramfs {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

size_t SkipSpace(std::string_view json, size_t at) {
  while (at < json.size() && IsSpace(json[at])) at++;
  return at;
}

// `at` is behind the opening quote; the result is where the closing one stands, or npos.
size_t StringEnd(std::string_view json, size_t at) {
  for (; at < json.size(); at++) {
    if (json[at] == '\\') {
      at++;
    } else if (json[at] == '"') {
      return at;
    }
  }
  return std::string_view::npos;
}

std::string_view Between(std::string_view json, size_t begin, size_t end) { return {json.data() + begin, end - begin}; }

}  // namespace

std::string_view FindString(std::string_view json, std::string_view key) {
  int depth = 0;
  bool key_matches = false;  // the string just read is `key`, and a colon follows
  for (size_t at = 0; at < json.size(); at++) {
    const char c = json[at];
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    if (IsSpace(c)) continue;
    if (c != '"') {
      key_matches = key_matches && c == ':';
      continue;
    }
    const size_t end = StringEnd(json, at + 1);
    if (end == std::string_view::npos) return {};
    const std::string_view text = Between(json, at + 1, end);
    if (key_matches) return text.find('\\') == std::string_view::npos ? text : std::string_view();
    const size_t next = SkipSpace(json, end + 1);
    key_matches = depth == 1 && text == key && next < json.size() && json[next] == ':';
    at = end;
  }
  return {};
}

}  // namespace hostapp::initramfs
