// SPDX-License-Identifier: Apache-2.0
// The small parsers that all others stand on: whatever is accepted has one form, and what is escaped is safe to show.
#include <string>

#include "hostapp/base/clock.h"
#include "hostapp/base/hostname.h"
#include "hostapp/base/strings.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;

void CheckBase64(std::string_view text) {
  Require(Base64Decode(Base64Encode(AsBytes(text))) == text);
  const auto bytes = Base64Decode(text);
  if (bytes) Require(Base64Encode(AsBytes(*bytes)) == text);
}

void CheckHex(std::string_view text) {
  const auto back = HexDecode(HexEncode(AsBytes(text)));
  Require(back && AsText(*back) == text);
  const auto bytes = HexDecode(text);
  if (bytes) Require(HexEncode(*bytes) == text);
}

void CheckNumber(std::string_view text) {
  const auto number = ParseUint64(text);
  if (!number) return;
  Require(text.substr(std::min(text.find_first_not_of('0'), text.size() - 1)) == StrCat(*number));
  Require(!HumanBytes(*number).empty());
}

void CheckEscape(std::string_view text) {
  const std::string escaped = Escape(text);
  Require(IsValidUtf8(escaped) && escaped.size() >= text.size());
  // Nothing in it but text, and nothing to escape in it but the backslashes.
  std::string doubled;
  for (const char c : escaped) {
    Require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    doubled += c == '\\' ? "\\\\" : std::string(1, c);
  }
  Require(Escape(escaped) == doubled);
  if (escaped == text) Require(IsValidUtf8(text));
}

void CheckTime(std::string_view text) {
  const auto time = ParseTime(text);
  if (!time) return;
  const std::string plain = FormatTime(*time);
  Require(plain.size() == 20 && ParseTime(plain) == time);
  // A time in UTC without a fraction and without a leap second is written as it was.
  if (text.size() == 20 && text[10] == 'T' && text[19] == 'Z' && text.substr(17, 2) != "60") Require(plain == text);
}

void CheckParts(std::string_view text) {
  std::vector<std::string> parts;
  for (const std::string_view part : Split(text, '/')) parts.emplace_back(part);
  Require(Join(parts, "/") == text);
  Require(Trim(Trim(text)) == Trim(text) && ToLower(ToLower(text)) == ToLower(text));
}

void CheckMachineName(std::string_view text) {
  if (!CheckHostname(text).ok()) return;
  Require(!text.empty() && text.size() <= 64 && Escape(text) == text && text.find_first_of("/ \\") == text.npos);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckBase64, CheckHex,   CheckNumber,     CheckEscape,
                                                   CheckTime,   CheckParts, CheckMachineName};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
