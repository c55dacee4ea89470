// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/grub_env.h"

#include <algorithm>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr std::string_view kHeader = "# GRUB Environment Block\n";
constexpr size_t kNameDigits = 10;

bool AllDigits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

std::string GrubEntryName(uint64_t serial) {
  std::string digits = std::to_string(serial);
  return digits.size() >= kNameDigits ? digits : std::string(kNameDigits - digits.size(), '0') + digits;
}

std::optional<uint64_t> ParseGrubEntryName(std::string_view name) {
  if (name.size() != kNameDigits || !AllDigits(name)) return std::nullopt;
  uint64_t serial = 0;
  for (const char c : name) serial = serial * 10 + static_cast<uint64_t>(c - '0');
  if (serial == 0) return std::nullopt;
  return serial;
}

std::string EncodeGrubEnv(const GrubEnv& env) {
  std::string block(kHeader);
  if (env.default_serial != 0) block += StrCat("hostapp_default=", GrubEntryName(env.default_serial), "\n");
  if (env.trial != 0) {
    block += StrCat("hostapp_trial=", GrubEntryName(env.trial), "\n");
    block += StrCat("hostapp_tries=", env.tries < 10 ? "0" : "", env.tries, "\n");
  }
  block.resize(kGrubEnvBytes, '#');
  return block;
}

GrubEnv ParseGrubEnv(std::string_view block) {
  GrubEnv env;
  if (block.size() != kGrubEnvBytes || !block.starts_with(kHeader)) return env;
  std::optional<int> tries;
  for (const std::string_view line : Split(block.substr(kHeader.size()), '\n')) {
    if (line.starts_with('#')) break;
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = line.substr(0, equals), value = line.substr(equals + 1);
    if (key == "hostapp_default") env.default_serial = ParseGrubEntryName(value).value_or(0);
    if (key == "hostapp_trial") env.trial = ParseGrubEntryName(value).value_or(0);
    if (key == "hostapp_tries" && value.size() == 2 && AllDigits(value))
      tries = static_cast<int>(*ParseUint64(value[0] == '0' ? value.substr(1) : value));
  }
  // GRUB does not start a trial whose tries it cannot count.
  if (env.trial != 0) env.tries = tries.value_or(0);
  return env;
}

}  // namespace hostapp
