// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/efi_boot_options.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {
namespace {

constexpr std::string_view kGlobalGuid = "-8be4df61-93ca-11d2-aa0d-00e098032b8c";
constexpr std::string_view kAttributes{"\x07\0\0\0", 4};  // kept, seen at boot, seen at run time
constexpr uint32_t kActive = 1;
constexpr uint64_t kMaxVariableBytes = 64 << 10;
constexpr uint32_t kNumbers = 0x10000;

// Nodes of a device path: type, subtype, length of all of it (2 bytes).
constexpr char kMediaType = 4, kHardDrive = 1, kFilePath = 4;
constexpr size_t kNodeHeaderBytes = 4, kHardDriveBytes = 42;
constexpr char kGptFormat = 2, kGuidSignature = 2;
constexpr std::string_view kEndNode{"\x7f\xff\x04\0", 4};

std::string LittleEndian(uint64_t number, size_t bytes) {
  std::string text;
  for (size_t at = 0; at < bytes; ++at) text += static_cast<char>(number >> (8 * at) & 0xff);
  return text;
}

uint64_t NumberIn(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t at = bytes.size(); at-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[at]);
  return number;
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

std::string Utf16(std::string_view ascii) {
  std::string text;
  for (const char c : ascii) text += {c, '\0'};
  return text + std::string(2, '\0');
}

// Takes a text and its end off the front; what is not ASCII becomes '?'.
std::optional<std::string> TakeUtf16(std::string_view& bytes) {
  std::string text;
  while (bytes.size() >= 2) {
    const uint64_t unit = NumberIn(bytes.substr(0, 2));
    bytes.remove_prefix(2);
    if (unit == 0) return text;
    text += unit >= ' ' && unit <= '~' ? static_cast<char>(unit) : '?';
  }
  return std::nullopt;
}

// The first three groups of a GUID are little-endian numbers, the others bytes as they are written.
std::string Reordered(std::string_view guid) {
  std::string bytes(guid);
  std::reverse(bytes.begin(), bytes.begin() + 4);
  std::reverse(bytes.begin() + 4, bytes.begin() + 6);
  std::reverse(bytes.begin() + 6, bytes.begin() + 8);
  return bytes;
}

std::optional<std::string> GuidBytes(std::string_view text) {
  constexpr size_t kGuidChars = 36, kGuidBytes = 16;
  if (text.size() != kGuidChars) return std::nullopt;
  std::string hex;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
    if (dash != (text[at] == '-')) return std::nullopt;
    if (!dash) hex += text[at];
  }
  const auto bytes = HexDecode(hex);
  if (!bytes || bytes->size() != kGuidBytes) return std::nullopt;
  return Reordered(AsText(*bytes));
}

std::string GuidText(std::string_view bytes) {
  std::string text = HexEncode(AsBytes(Reordered(bytes)));
  for (const size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

std::string Node(char type, char subtype, std::string_view data) {
  return std::string{type, subtype} + LittleEndian(kNodeHeaderBytes + data.size(), 2) + std::string(data);
}

// Takes a node off the front of a device path: its type and subtype, and its data.
std::optional<std::pair<std::string_view, std::string_view>> TakeNode(std::string_view& path) {
  if (path.size() < kNodeHeaderBytes) return std::nullopt;
  const size_t size = NumberIn(path.substr(2, 2));
  if (size < kNodeHeaderBytes || size > path.size()) return std::nullopt;
  const auto node = std::pair(path.substr(0, 2), path.substr(kNodeHeaderBytes, size - kNodeHeaderBytes));
  path.remove_prefix(size);
  return node;
}

std::optional<EfiPartition> ParseHardDrive(std::string_view data) {
  if (data.size() != kHardDriveBytes - kNodeHeaderBytes || data[36] != kGptFormat || data[37] != kGuidSignature)
    return std::nullopt;
  return EfiPartition{.number = static_cast<uint32_t>(NumberIn(data.substr(0, 4))),
                      .first_block = NumberIn(data.substr(4, 8)),
                      .blocks = NumberIn(data.substr(12, 8)),
                      .guid = GuidText(data.substr(20, 16))};
}

bool ParseDevicePath(std::string_view path, EfiBootOption& option) {
  const auto drive = TakeNode(path);
  if (!drive || drive->first != std::string{kMediaType, kHardDrive}) return false;
  const auto partition = ParseHardDrive(drive->second);
  const auto file = TakeNode(path);
  if (!partition || !file || file->first != std::string{kMediaType, kFilePath} || path != kEndNode) return false;
  std::string_view name = file->second;
  const auto text = TakeUtf16(name);
  if (!text || !name.empty()) return false;
  option.partition = *partition;
  option.path = *text;
  return true;
}

std::string OptionName(uint32_t number) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string name = "Boot";
  for (const int shift : {12, 8, 4, 0}) name += kDigits[number >> shift & 0xf];
  return name;
}

std::optional<uint16_t> OptionNumber(std::string_view file) {
  if (!file.ends_with(kGlobalGuid)) return std::nullopt;
  file.remove_suffix(kGlobalGuid.size());
  uint32_t number = 0;
  if (file.size() != 8) return std::nullopt;
  for (const char c : file.substr(4)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'A' || c > 'F')) return std::nullopt;
    number = number << 4 | static_cast<uint32_t>(digit ? c - '0' : c - 'A' + 10);
  }
  if (file != OptionName(number)) return std::nullopt;
  return static_cast<uint16_t>(number);
}

// Nothing for what cannot be read or is too short for its attributes.
std::optional<std::string> ReadVariable(int efivars, const std::string& file) {
  const auto bytes = ReadFile(efivars, file, kMaxVariableBytes);
  if (!bytes.ok() || bytes->size() < kAttributes.size()) return std::nullopt;
  return bytes->substr(kAttributes.size());
}

// efivarfs guards what firmware may not survive the loss of with this flag; elsewhere there is none.
void MakeMutable(int fd) {
  unsigned flags = 0;
  if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) != 0 || (flags & FS_IMMUTABLE_FL) == 0) return;
  flags &= ~static_cast<unsigned>(FS_IMMUTABLE_FL);
  ::ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

// One write is one setting of the variable.
Status WriteVariable(int efivars, const std::string& name, std::string_view value, OpContext& ctx) {
  const std::string file = StrCat(name, kGlobalGuid);
  if (const UniqueFd old(::openat(efivars, file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)); old.valid())
    MakeMutable(old.get());
  const UniqueFd fd(ctx.sys.OpenAt(efivars, file.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW, 0644));
  if (!fd.valid()) return SysError(-fd.get(), StrCat("opening the firmware's variable ", name));
  const std::string bytes = StrCat(kAttributes, value);
  const ssize_t written = ctx.sys.Write(fd.get(), bytes.data(), bytes.size());
  if (written == static_cast<ssize_t>(bytes.size())) return Ok();
  return SysError(written < 0 ? static_cast<int>(-written) : EIO, StrCat("writing the firmware's variable ", name));
}

bool SameText(std::string_view a, std::string_view b) { return ToLower(a) == ToLower(b); }

}  // namespace

Result<std::string> EncodeEfiBootOption(const EfiBootOption& option) {
  const auto guid = GuidBytes(ToLower(option.partition.guid));
  if (!guid) {
    return Error(Errc::kInvalid, StrCat("a firmware's boot option: ", Escape(option.partition.guid),
                                        " is no PARTUUID of a GPT partition"));
  }
  if (!IsAscii(option.description) || !IsAscii(option.path)) {
    return Error(Errc::kInvalid, StrCat("a firmware's boot option: ", Escape(option.description), ", ",
                                        Escape(option.path), ": printable ASCII only"));
  }
  const std::string drive = LittleEndian(option.partition.number, 4) + LittleEndian(option.partition.first_block, 8) +
                            LittleEndian(option.partition.blocks, 8) + *guid + kGptFormat + kGuidSignature;
  const std::string path =
      Node(kMediaType, kHardDrive, drive) + Node(kMediaType, kFilePath, Utf16(option.path)) + std::string(kEndNode);
  return LittleEndian(option.active ? kActive : 0, 4) + LittleEndian(path.size(), 2) + Utf16(option.description) + path;
}

std::optional<EfiBootOption> ParseEfiBootOption(std::string_view bytes) {
  constexpr size_t kFixedBytes = 6;
  if (bytes.size() < kFixedBytes) return std::nullopt;
  EfiBootOption option;
  option.active = (NumberIn(bytes.substr(0, 4)) & kActive) != 0;
  const size_t path_bytes = NumberIn(bytes.substr(4, 2));
  bytes.remove_prefix(kFixedBytes);
  const auto description = TakeUtf16(bytes);
  if (!description || bytes.size() < path_bytes) return std::nullopt;
  option.description = *description;
  // What follows the path is handed to the loader.
  if (!ParseDevicePath(bytes.substr(0, path_bytes), option)) return std::nullopt;
  return option;
}

bool StartsTheSame(const EfiBootOption& a, const EfiBootOption& b) {
  return SameText(a.partition.guid, b.partition.guid) && SameText(a.path, b.path);
}

Result<EfiBootPlan> PlanEfiBootOptions(const EfiBootVariables& variables, const EfiBootOption& wanted, int count) {
  EfiBootPlan plan;
  for (const auto& [number, bytes] : variables.options) {
    const auto option = ParseEfiBootOption(bytes);
    const bool ours = option && option->active && StartsTheSame(*option, wanted);
    if (ours && plan.order.size() < static_cast<size_t>(count)) plan.order.push_back(number);
  }
  for (uint32_t number = 0; plan.order.size() < static_cast<size_t>(count); ++number) {
    if (number == kNumbers) return Error(Errc::kNoSpace, "the firmware has no number left for a boot option");
    const auto free = static_cast<uint16_t>(number);
    if (variables.options.contains(free)) continue;
    EfiBootOption option = wanted;
    // Firmware may take options that are equal in everything for one.
    if (!plan.order.empty()) option.description += StrCat(" (", plan.order.size() + 1, ")");
    ASSIGN_OR_RETURN(plan.added[free], EncodeEfiBootOption(option));
    plan.order.push_back(free);
  }
  for (const uint16_t number : variables.order) {
    if (std::find(plan.order.begin(), plan.order.end(), number) == plan.order.end()) plan.order.push_back(number);
  }
  return plan;
}

Result<EfiBootVariables> ReadEfiBootVariables(int efivars) {
  EfiBootVariables variables;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(efivars, "."));
  for (const std::string& name : names) {
    const auto number = OptionNumber(name);
    if (!number) continue;
    // An empty file is a variable whose first write failed; what cannot be read still has its number.
    if (const auto bytes = ReadFile(efivars, name, kMaxVariableBytes); bytes.ok() && bytes->empty()) continue;
    variables.options[*number] = ReadVariable(efivars, name).value_or("");
  }
  const std::string order_file = StrCat("BootOrder", kGlobalGuid);
  if (!Exists(efivars, order_file)) return variables;
  // One that cannot be read has the options of others in it: written anew it would lose them.
  ASSIGN_OR_RETURN(const std::string order,
                   ReadFile(efivars, order_file, kMaxVariableBytes).While("reading the firmware's BootOrder"));
  for (size_t at = kAttributes.size(); at + 2 <= order.size(); at += 2)
    variables.order.push_back(static_cast<uint16_t>(NumberIn(std::string_view(order).substr(at, 2))));
  return variables;
}

Status EnsureEfiBootOptions(int efivars, const EfiBootOption& wanted, int count, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(efivars, "."));
  if (names.empty()) {
    return Error(Errc::kNotFound,
                 "the firmware's variables are not there (no UEFI, or efivarfs is not mounted): a boot "
                 "loader that gives up is not started again by itself");
  }
  ASSIGN_OR_RETURN(const EfiBootVariables variables, ReadEfiBootVariables(efivars));
  ASSIGN_OR_RETURN(const EfiBootPlan plan, PlanEfiBootOptions(variables, wanted, count));
  for (const auto& [number, bytes] : plan.added) TRY(WriteVariable(efivars, OptionName(number), bytes, ctx));
  if (plan.order == variables.order) return Ok();
  std::string order;
  for (const uint16_t number : plan.order) order += LittleEndian(number, 2);
  return WriteVariable(efivars, "BootOrder", order, ctx);
}

}  // namespace hostapp
