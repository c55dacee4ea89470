// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/uboot_env.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "hostapp/base/check.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/crc32.h"

namespace hostapp {
namespace {

constexpr size_t kCrcBytes = 4;

std::string CrcOf(std::string_view data) {
  const uint32_t crc = Crc32(AsBytes(data));
  std::string bytes;
  for (const int shift : {0, 8, 16, 24}) bytes += static_cast<char>(crc >> shift & 0xff);
  return bytes;
}

// As U-Boot writes and reads numbers: hexadecimal, without 0x, without leading zeros.
std::string ToHex(uint64_t number) {
  std::array<char, 16> text{};
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number, 16).ptr};
}

std::optional<uint64_t> ParseHex(std::string_view text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc() || end != text.data() + text.size() || ToHex(number) != text) return std::nullopt;
  return number;
}

// `crc32` stores its result in one order of bytes or the other, as the build has it; the script takes both.
uint32_t Swapped(uint32_t crc) { return crc >> 24 | (crc >> 8 & 0xff00) | (crc << 8 & 0xff0000) | crc << 24; }

std::string ValueOf(const UbootVariables& variables, const std::string& name) {
  const auto found = variables.find(name);
  return found == variables.end() ? std::string() : found->second;
}

std::optional<uint64_t> ParseSerial(std::string_view text) {
  const auto serial = ParseUint64(text);
  if (!serial || std::to_string(*serial) != text) return std::nullopt;
  return serial;
}

void AddFile(UbootVariables& variables, const std::string& name, const UbootFile& file) {
  variables[name + "_size"] = ToHex(file.size);
  variables[name + "_crc"] = ToHex(file.crc32);
  variables[name + "_swapped_crc"] = ToHex(Swapped(file.crc32));
}

std::optional<UbootFile> FileIn(const UbootVariables& variables, const std::string& name) {
  const auto size = ParseHex(ValueOf(variables, name + "_size")), crc = ParseHex(ValueOf(variables, name + "_crc"));
  if (!size || !crc || *crc > UINT32_MAX) return std::nullopt;
  return UbootFile{.size = *size, .crc32 = static_cast<uint32_t>(*crc)};
}

}  // namespace

std::string EncodeUbootEnv(const UbootVariables& variables, size_t size) {
  std::string data;
  for (const auto& [name, value] : variables) {
    CHECK(!value.empty() && value.find('\0') == std::string::npos);
    data += StrCat(name, "=", value, '\0');
  }
  CHECK(data.size() + kCrcBytes < size);
  data.resize(size - kCrcBytes, '\0');
  return CrcOf(data) + data;
}

std::optional<UbootVariables> ParseUbootEnv(std::string_view block, size_t size) {
  if (block.size() != size || block.substr(0, kCrcBytes) != CrcOf(block.substr(kCrcBytes))) return std::nullopt;
  UbootVariables variables;
  for (const std::string_view line : Split(block.substr(kCrcBytes), '\0')) {
    if (line.empty()) break;
    const size_t equals = line.find('=');
    if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
    variables[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  return variables;
}

std::string EncodeUbootState(const UbootState& state) {
  return EncodeUbootEnv({{"hostapp_default", std::to_string(state.default_serial)},
                         {"hostapp_trial", std::to_string(state.trial)},
                         {"hostapp_tries", std::to_string(state.tries)}},
                        kUbootStateBytes);
}

std::optional<UbootState> ParseUbootState(std::string_view block) {
  const auto variables = ParseUbootEnv(block, kUbootStateBytes);
  if (!variables) return std::nullopt;
  UbootState state;
  state.default_serial = ParseSerial(ValueOf(*variables, "hostapp_default")).value_or(0);
  state.trial = ParseSerial(ValueOf(*variables, "hostapp_trial")).value_or(0);
  const std::string tries = ValueOf(*variables, "hostapp_tries");
  // The script starts no trial whose tries it cannot count.
  if (tries.size() == 1 && tries[0] >= '0' && tries[0] <= '9') state.tries = tries[0] - '0';
  return state;
}

std::string EncodeUbootProven(std::vector<uint64_t> serials) {
  std::sort(serials.rbegin(), serials.rend());
  serials.resize(std::min(serials.size(), kMaxUbootProven));
  std::vector<std::string> texts;
  texts.reserve(serials.size());
  for (const uint64_t serial : serials) texts.push_back(std::to_string(serial));
  if (texts.empty()) texts.emplace_back("0");
  return EncodeUbootEnv({{"hostapp_proven", Join(texts, " ")}}, kUbootProvenBytes);
}

std::vector<uint64_t> ParseUbootProven(std::string_view block) {
  std::vector<uint64_t> serials;
  const auto variables = ParseUbootEnv(block, kUbootProvenBytes);
  if (!variables) return serials;
  const std::string proven = ValueOf(*variables, "hostapp_proven");
  for (const std::string_view text : Split(proven, ' ')) {
    if (const auto serial = ParseSerial(text); serial && *serial != 0) serials.push_back(*serial);
  }
  return serials;
}

std::string EncodeUbootEntry(const UbootEntry& entry) {
  UbootVariables variables = {
      {"hostapp_entry", std::to_string(entry.serial)}, {"hostapp_set", entry.boot_set}, {"bootargs", entry.arguments}};
  AddFile(variables, "hostapp_kernel", entry.kernel);
  AddFile(variables, "hostapp_initrd", entry.initrd);
  return EncodeUbootEnv(variables, kUbootEntryBytes);
}

std::optional<UbootEntry> ParseUbootEntry(std::string_view block) {
  const auto variables = ParseUbootEnv(block, kUbootEntryBytes);
  if (!variables) return std::nullopt;
  const auto serial = ParseSerial(ValueOf(*variables, "hostapp_entry"));
  const auto kernel = FileIn(*variables, "hostapp_kernel"), initrd = FileIn(*variables, "hostapp_initrd");
  if (!serial || !kernel || !initrd) return std::nullopt;
  return UbootEntry{.serial = *serial,
                    .boot_set = ValueOf(*variables, "hostapp_set"),
                    .kernel = *kernel,
                    .initrd = *initrd,
                    .arguments = ValueOf(*variables, "bootargs")};
}

}  // namespace hostapp
