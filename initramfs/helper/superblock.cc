// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/superblock.h"

namespace hostapp::initramfs {
namespace {

using Bytes = std::span<const std::byte>;

bool HasAt(Bytes bytes, size_t offset, std::string_view magic) {
  if (bytes.size() < offset + magic.size()) return false;
  for (size_t i = 0; i < magic.size(); i++) {
    if (bytes[offset + i] != static_cast<std::byte>(magic[i])) return false;
  }
  return true;
}

uint64_t LittleEndian(Bytes bytes, size_t offset, size_t count) {
  uint64_t value = 0;
  for (size_t i = 0; i < count; i++) value |= static_cast<uint64_t>(bytes[offset + i]) << (8 * i);
  return value;
}

void AppendHex(Text<40>& text, std::byte byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<size_t>(byte);
  text.Append(std::string_view(&kDigits[value >> 4], 1)).Append(std::string_view(&kDigits[value & 15], 1));
}

// `order` says which byte is written as the n-th: a GUID's first three groups are little-endian.
Text<40> FormatUuid(Bytes bytes, std::span<const uint8_t, 16> order) {
  Text<40> text;
  for (size_t i = 0; i < 16; i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.Append("-");
    AppendHex(text, bytes[order[i]]);
  }
  return text;
}

constexpr uint8_t kStraight[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
constexpr uint8_t kGuid[16] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};

Text<260> Label(Bytes bytes) {
  Text<260> text;
  for (const std::byte byte : bytes) {
    const char c = static_cast<char>(byte);
    if (c == '\0') break;
    text.Append(std::string_view(&c, 1));
  }
  return text;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

Superblock ParseSuperblock(Bytes head, Bytes btrfs) {
  Superblock found;
  if (HasAt(head, 1024 + 0x38, "\x53\xef") && head.size() >= 1024 + 0x88) {
    found = {.type = "ext4",
             .mountable = true,
             .uuid = FormatUuid(head.subspan(1024 + 0x68, 16), kStraight),
             .label = Label(head.subspan(1024 + 0x78, 16))};
  } else if (HasAt(head, 0, "XFSB") && head.size() >= 120) {
    found = {.type = "xfs",
             .mountable = true,
             .uuid = FormatUuid(head.subspan(32, 16), kStraight),
             .label = Label(head.subspan(108, 12))};
  } else if (HasAt(btrfs, 0x40, "_BHRfS_M") && btrfs.size() >= 0x12b + 256) {
    found = {.type = "btrfs",
             .mountable = true,
             .uuid = FormatUuid(btrfs.subspan(0x20, 16), kStraight),
             .label = Label(btrfs.subspan(0x12b, 256))};
  } else if (HasAt(head, 0, "LUKS\xba\xbe")) {
    found.type = "LUKS";
  } else if (HasAt(head, 512 + 24, "LVM2 001")) {
    found.type = "LVM";
  }
  return found;
}

uint64_t GptEntryOffset(Bytes header, uint32_t block_bytes, uint32_t number) {
  if (!HasAt(header, 0, "EFI PART") || header.size() < 92 || number == 0) return 0;
  const uint64_t first = LittleEndian(header, 72, 8);
  const auto entries = static_cast<uint32_t>(LittleEndian(header, 80, 4));
  const auto entry_bytes = static_cast<uint32_t>(LittleEndian(header, 84, 4));
  if (number > entries || entry_bytes < 128 || entry_bytes > 4096 || first > (uint64_t{1} << 40)) return 0;
  return first * block_bytes + uint64_t{number - 1} * entry_bytes;
}

Text<40> GptPartUuid(Bytes entry) { return entry.size() < 32 ? Text<40>() : FormatUuid(entry.subspan(16, 16), kGuid); }

Text<40> GptPartLabel(Bytes entry) {
  Text<40> text;
  for (size_t at = 56; at + 2 <= entry.size() && at < 56 + 72; at += 2) {
    const uint64_t unit = LittleEndian(entry, at, 2);
    if (unit == 0) break;
    const char c = unit >= 0x20 && unit < 0x7f ? static_cast<char>(unit) : '?';
    text.Append(std::string_view(&c, 1));
  }
  return text;
}

Text<40> MbrPartUuid(Bytes first, uint32_t number) {
  Text<40> text;
  if (!HasAt(first, 510, "\x55\xaa") || LittleEndian(first, 440, 4) == 0 || number == 0 || number > 255) return text;
  for (size_t i = 4; i-- > 0;) AppendHex(text, first[440 + i]);
  text.Append("-");
  AppendHex(text, static_cast<std::byte>(number));
  return text;
}

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); i++) {
    if (Lower(a[i]) != Lower(b[i])) return false;
  }
  return true;
}

}  // namespace hostapp::initramfs
