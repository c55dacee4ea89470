// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/gpt_growth.h"

#include <algorithm>

#include "hostapp/base/check.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/gpt_format.h"
#include "hostapp/disk/tree_size.h"

namespace hostapp {
namespace {

constexpr size_t kHeaderAt = kSectorBytes;
constexpr size_t kEntriesAt = 2 * kSectorBytes;
constexpr size_t kMbrPartition = 446;

// Where in a header, and in an entry.
constexpr size_t kHeaderSize = 12, kHeaderCrc = 16, kOwnLba = 24, kOtherLba = 32, kLastUsable = 48, kEntriesLba = 72,
                 kEntryCount = 80, kEntrySize = 84, kEntriesCrc = 88;
constexpr size_t kFirstLba = 32, kLastLba = 40, kName = 56;

uint64_t GetLe(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i > 0; --i) value = value << 8 | static_cast<unsigned char>(bytes[at + i - 1]);
  return value;
}

void SetLe(std::string& bytes, size_t at, size_t size, uint64_t value) {
  for (size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>((value >> (8 * i)) & 0xff);
}

uint32_t HeaderCrc(std::string header) {
  SetLe(header, kHeaderCrc, 4, 0);
  return GptCrc(std::string_view(header).substr(0, GetLe(header, kHeaderSize, 4)));
}

std::string_view EntriesOf(std::string_view head) { return head.substr(kEntriesAt, kGptEntries * kGptEntryBytes); }

Status CheckTable(std::string_view head) {
  const std::string header(head.substr(kHeaderAt, kSectorBytes));
  const uint64_t size = GetLe(header, kHeaderSize, 4);
  if (size < kGptHeaderBytes || size > kSectorBytes || HeaderCrc(header) != GetLe(header, kHeaderCrc, 4) ||
      GetLe(header, kOwnLba, 8) != 1 || GptCrc(EntriesOf(head)) != GetLe(header, kEntriesCrc, 4)) {
    return Error(Errc::kCorrupt, "the disk's first partition table is damaged; look at it with sfdisk --verify");
  }
  return Ok();
}

// The tables that MakeGpt() makes, as nearly every program does.
bool IsUsual(std::string_view head) {
  const std::string_view header = head.substr(kHeaderAt);
  return GetLe(header, kEntriesLba, 8) == 2 && GetLe(header, kEntryCount, 4) == kGptEntries &&
         GetLe(header, kEntrySize, 4) == kGptEntryBytes;
}

// Only for comparing: what is not ASCII becomes a '?'.
std::string NameOf(std::string_view entry) {
  std::string name;
  for (size_t i = 0; i < kGptNameUnits; ++i) {
    const uint64_t unit = GetLe(entry, kName + 2 * i, 2);
    if (unit == 0) break;
    name.push_back(unit < 0x80 ? static_cast<char>(unit) : '?');
  }
  return name;
}

// The partition's place in the table; kGptEntries and a reason: it is not to be touched.
size_t FindOurs(std::string_view entries, uint64_t first_lba, std::string_view wanted, std::string& reason) {
  size_t found = kGptEntries;
  for (size_t i = 0; i < kGptEntries; ++i) {
    const std::string_view entry = entries.substr(i * kGptEntryBytes, kGptEntryBytes);
    const bool unused = entry.substr(0, 16).find_first_not_of('\0') == std::string_view::npos;
    if (unused) continue;
    if (GetLe(entry, kFirstLba, 8) == first_lba) {
      if (found != kGptEntries) reason = "another partition begins where it does";
      if (GetLe(entry, kLastLba, 8) < first_lba) reason = "its partition ends before it begins";
      found = i;
    }
    if (GetLe(entry, kFirstLba, 8) > first_lba) reason = "it is not the last partition of its disk";
  }
  if (found == kGptEntries) reason = "the partition table does not name it";
  if (!reason.empty()) return kGptEntries;
  const std::string name = NameOf(entries.substr(found * kGptEntryBytes, kGptEntryBytes));
  if (name != wanted) reason = StrCat("its partition is called \"", Escape(name), "\", not ", wanted);
  if (kEntriesAt + (found + 1) * kGptEntryBytes > kGptFirstBytes) reason = "its partition's number is too high";
  return reason.empty() ? found : kGptEntries;
}

GptGrowth Grow(std::string_view head, uint64_t sectors, size_t number, uint64_t end) {
  std::string table(head);
  const size_t entry = kEntriesAt + number * kGptEntryBytes;
  const uint64_t first = GetLe(table, entry + kFirstLba, 8);
  GptGrowth growth{.old_bytes = (GetLe(table, entry + kLastLba, 8) + 1 - first) * kSectorBytes};
  SetLe(table, entry + kLastLba, 8, end / kSectorBytes - 1);
  // The protective MBR says how large the disk is too, as far as it can.
  SetLe(table, kMbrPartition + 12, 4, std::min<uint64_t>(sectors - 1, UINT32_MAX));
  std::string header = table.substr(kHeaderAt, kSectorBytes);
  SetLe(header, kOtherLba, 8, sectors - 1);
  SetLe(header, kLastUsable, 8, sectors - kGptTailBytes / kSectorBytes - 1);
  SetLe(header, kEntriesCrc, 4, GptCrc(EntriesOf(table)));
  SetLe(header, kHeaderCrc, 4, HeaderCrc(header));
  table.replace(kHeaderAt, kSectorBytes, header);
  growth.first = table.substr(0, kGptFirstBytes);

  SetLe(header, kOwnLba, 8, sectors - 1);
  SetLe(header, kOtherLba, 8, 1);
  SetLe(header, kEntriesLba, 8, sectors - kGptTailBytes / kSectorBytes);
  SetLe(header, kHeaderCrc, 4, HeaderCrc(header));
  growth.tail = StrCat(EntriesOf(table), header);
  return growth;
}

}  // namespace

Result<GptDecision> GrowLastPartition(std::string_view head, uint64_t disk_bytes, uint64_t offset,
                                      std::string_view name) {
  CHECK(head.size() == kGptHeadBytes);
  GptDecision decision;
  if (head.substr(kHeaderAt, 8) != "EFI PART") {
    decision.reason = "its disk has no GUID partition table";
    return decision;
  }
  TRY(CheckTable(head));
  if (!IsUsual(head)) {
    decision.reason = "the partition table of its disk is of an unusual size";
    return decision;
  }
  const size_t number = FindOurs(EntriesOf(head), offset / kSectorBytes, name, decision.reason);
  if (number == kGptEntries) return decision;
  const uint64_t whole = disk_bytes / kMiB * kMiB;
  const uint64_t end = disk_bytes - whole >= kGptTailBytes ? whole : whole - std::min(whole, kMiB);
  const uint64_t last = GetLe(EntriesOf(head), number * kGptEntryBytes + kLastLba, 8);
  if (end / kSectorBytes <= last + 1) {
    decision.reason = "it has the whole disk already";
    decision.bytes = (last + 1) * kSectorBytes - offset;
    return decision;
  }
  decision.bytes = end - offset;
  decision.growth = Grow(head, disk_bytes / kSectorBytes, number, end);
  return decision;
}

}  // namespace hostapp
