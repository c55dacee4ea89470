// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/booted.h"

#include <fcntl.h>

#include <map>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxRecordBytes = 16 << 10;

using Fields = std::map<std::string_view, std::string_view>;

Fields ParseFields(std::string_view text) {
  Fields fields;
  for (const std::string_view line : Split(text, '\n')) {
    const size_t equals = line.find('=');
    if (equals != std::string_view::npos) fields[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return fields;
}

Error Wrong(std::string_view key, std::string_view value) {
  return Error(Errc::kCorrupt, StrCat("reading what the helper wrote at this boot: ", key, "=", Escape(value),
                                      " has no meaning here; restart the device"));
}

// The value of `Enum` whose name is the field's text; the names are bootsel's.
template <typename Enum, typename NameOf>
Result<Enum> ParseName(const Fields& fields, std::string_view key, Enum last, NameOf name_of) {
  const auto found = fields.find(key);
  const std::string_view text = found == fields.end() ? std::string_view() : found->second;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    if (name_of(static_cast<Enum>(i)) == text) return static_cast<Enum>(i);
  }
  return Wrong(key, text);
}

Result<bool> ParseYesNo(const Fields& fields, std::string_view key) {
  const auto found = fields.find(key);
  const std::string_view text = found == fields.end() ? std::string_view() : found->second;
  if (text != "yes" && text != "no") return Wrong(key, text);
  return text == "yes";
}

BootedRoot ParseRoot(const Fields& fields) {
  const auto text = [&](std::string_view key) {
    const auto found = fields.find(key);
    return std::string(found == fields.end() ? std::string_view() : found->second);
  };
  return {.root = text("root"), .image = text("root-image"), .store = text("root-store"), .etc = text("etc")};
}

}  // namespace

Result<Booted> ParseBooted(std::string_view text) {
  const Fields fields = ParseFields(text);
  Booted booted;
  const auto serial = fields.find("serial");
  const auto number = serial == fields.end() ? std::nullopt : ParseUint64(serial->second);
  if (!number || *number == bootsel::kNoSerial || *number > bootsel::kMaxSerial) {
    return Wrong("serial", serial == fields.end() ? std::string_view() : serial->second);
  }
  booted.serial = *number;
  ASSIGN_OR_RETURN(booted.reason, ParseName(fields, "reason", bootsel::Reason::kDefaultGaveWay, bootsel::ReasonName));
  ASSIGN_OR_RETURN(booted.kernel, ParseName(fields, "kernel", bootsel::Kernel::kForeign, bootsel::KernelName));
  ASSIGN_OR_RETURN(booted.ledger_writable, ParseYesNo(fields, "ledger-writable"));
  booted.root = ParseRoot(fields);
  return booted;
}

Result<std::optional<Booted>> ReadBooted(const Sysroot& sysroot) {
  const std::string& path = sysroot.paths().boot_record;
  if (path.empty() || !Exists(AT_FDCWD, path)) return std::optional<Booted>();
  ASSIGN_OR_RETURN(const std::string text, ReadFile(AT_FDCWD, path, kMaxRecordBytes));
  ASSIGN_OR_RETURN(const Booted booted, ParseBooted(text));
  return std::optional<Booted>(booted);
}

}  // namespace hostapp
