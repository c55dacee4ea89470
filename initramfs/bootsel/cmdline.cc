// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/cmdline.h"

namespace hostapp::bootsel {
namespace {

bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The end of the argument that `text` starts with: white space outside of quotes. A quote that never closes keeps all.
size_t ArgumentLength(std::string_view text) {
  bool quoted = false;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] == '"') quoted = !quoted;
    if (IsSpace(text[i]) && !quoted) return i;
  }
  return text.size();
}

std::string_view WithoutQuotes(std::string_view text) {
  if (text.starts_with('"')) text.remove_prefix(1);
  if (text.ends_with('"')) text.remove_suffix(1);
  return text;
}

// How often `key` stands there, with the last of its values.
size_t CountArguments(std::string_view cmdline, std::string_view key, Argument& last) {
  size_t count = 0;
  ArgumentReader reader(cmdline);
  for (Argument argument; reader.Next(argument);) {
    if (argument.key != key) continue;
    last = argument;
    count++;
  }
  return count;
}

}  // namespace

bool ArgumentReader::Next(Argument& out) {
  while (!rest_.empty() && IsSpace(rest_[0])) rest_.remove_prefix(1);
  if (rest_.empty()) return false;
  const size_t length = ArgumentLength(rest_);
  std::string_view text = rest_.substr(0, length);
  rest_.remove_prefix(length);
  if (text == "--") {
    rest_ = {};
    return false;
  }
  if (text.starts_with('"')) text = WithoutQuotes(text);
  const size_t equals = text.find('=');
  out.has_value = equals != std::string_view::npos;
  out.key = text.substr(0, equals);
  out.value = out.has_value ? WithoutQuotes(text.substr(equals + 1)) : std::string_view();
  return true;
}

Asked ParseAsked(std::string_view cmdline) {
  Argument deployment;
  Argument boot_set;
  if (CountArguments(cmdline, "hostapp.deployment", deployment) != 1) return {};
  if (CountArguments(cmdline, "hostapp.boot-set", boot_set) != 1) return {};
  Asked asked;
  asked.serial = ParseSerial(deployment.value);
  if (asked.serial == kNoSerial || !ParseDigest(boot_set.value, asked.boot_set)) return {};
  return asked;
}

std::string_view LastValue(std::string_view cmdline, std::string_view key) {
  Argument last;
  CountArguments(cmdline, key, last);
  return last.value;
}

bool HasArgument(std::string_view cmdline, std::string_view key) {
  Argument last;
  return CountArguments(cmdline, key, last) != 0;
}

Serial ParseSerial(std::string_view text) {
  if (text.empty() || text[0] == '0') return kNoSerial;
  Serial serial = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return kNoSerial;
    const auto digit = static_cast<Serial>(c - '0');
    if (serial > (kMaxSerial - digit) / 10) return kNoSerial;
    serial = serial * 10 + digit;
  }
  return serial;
}

}  // namespace hostapp::bootsel
