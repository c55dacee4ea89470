// SPDX-License-Identifier: Apache-2.0
// Text: putting together, taking apart, escaping.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/bytes.h"

namespace hostapp {

namespace internal {
inline void Append(std::string& out, std::string_view piece) { out.append(piece); }
inline void Append(std::string& out, char piece) { out.push_back(piece); }
template <std::integral T>
requires(!std::same_as<T, char> && !std::same_as<T, bool>) void Append(std::string& out, T piece) {
  char text[24];
  out.append(text, std::to_chars(text, text + sizeof text, piece).ptr);
}
}  // namespace internal

// StrCat("layer ", 3, " of ", 7): text, characters and whole numbers, one after the other.
template <typename... Pieces>
std::string StrCat(const Pieces&... pieces) {
  std::string out;
  (internal::Append(out, pieces), ...);
  return out;
}

// "a/b//c" at '/': "a", "b", "", "c". The empty text has one empty part.
std::vector<std::string_view> Split(std::string_view text, char separator);
std::string Join(const std::vector<std::string>& parts, std::string_view separator);
std::string_view Trim(std::string_view text);  // without leading and trailing ASCII white space
std::string ToLower(std::string_view text);    // ASCII only

// A decimal number with nothing around it; nothing for a sign, spaces, or more than 64 bits.
std::optional<uint64_t> ParseUint64(std::string_view text);

std::string HexEncode(ByteSpan bytes);  // lower case
// Lower-case hexadecimal only, an even number of digits.
std::optional<std::vector<std::byte>> HexDecode(std::string_view text);

std::string Base64Encode(ByteSpan bytes);
// The standard alphabet, padding required, nothing else in it.
std::optional<std::string> Base64Decode(std::string_view text);

bool IsValidUtf8(std::string_view text);

// Text from outside, safe for a terminal and a log: control characters (ESC, newline, …), bidirectional overrides and
// bytes that are not UTF-8 as \xNN, a backslash doubled.
std::string Escape(std::string_view text);

// 1536 → "1.5 KiB"; for people, never for programs.
std::string HumanBytes(uint64_t bytes);

}  // namespace hostapp
