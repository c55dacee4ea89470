// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/gpt.h"

#include <algorithm>
#include <array>

#include "hostapp/disk/gpt_format.h"

namespace hostapp {
namespace {

constexpr uint64_t kTableSectors = kGptEntries * kGptEntryBytes / kSectorBytes;

void PutLe(std::string& out, uint64_t value, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

// The first three fields are little-endian numbers.
constexpr std::array<size_t, 16> kGuidOrder = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
void PutGuid(std::string& out, const Uuid& uuid) {
  for (const size_t i : kGuidOrder) {
    out.push_back(static_cast<char>(uuid.bytes[i]));
  }
}

std::string Entry(const GptPartition& partition) {
  std::string out;
  PutGuid(out, partition.type);
  PutGuid(out, partition.id);
  PutLe(out, partition.offset / kSectorBytes, 8);
  PutLe(out, (partition.offset + partition.bytes) / kSectorBytes - 1, 8);
  PutLe(out, partition.attributes, 8);
  for (const char c : partition.name) PutLe(out, static_cast<unsigned char>(c), 2);
  out.resize(kGptEntryBytes);
  return out;
}

std::string Entries(const std::vector<GptPartition>& partitions) {
  std::string out;
  for (const GptPartition& partition : partitions) out += Entry(partition);
  out.resize(kGptEntries * kGptEntryBytes);
  return out;
}

struct Place {
  uint64_t own = 0;    // LBA of this header
  uint64_t other = 0;  // LBA of the other one
  uint64_t entries = 0;
};

std::string Header(uint64_t sectors, const Uuid& disk_id, const Place& place, uint32_t entries_crc, uint32_t crc) {
  std::string out = "EFI PART";
  PutLe(out, 0x00010000, 4);
  PutLe(out, kGptHeaderBytes, 4);
  PutLe(out, crc, 4);
  PutLe(out, 0, 4);
  PutLe(out, place.own, 8);
  PutLe(out, place.other, 8);
  PutLe(out, kGptHeadBytes / kSectorBytes, 8);
  PutLe(out, sectors - kGptTailBytes / kSectorBytes - 1, 8);
  PutGuid(out, disk_id);
  PutLe(out, place.entries, 8);
  PutLe(out, kGptEntries, 4);
  PutLe(out, kGptEntryBytes, 4);
  PutLe(out, entries_crc, 4);
  return out;
}

std::string HeaderSector(uint64_t sectors, const Uuid& disk_id, const Place& place, uint32_t entries_crc) {
  const uint32_t crc = GptCrc(Header(sectors, disk_id, place, entries_crc, 0));
  std::string out = Header(sectors, disk_id, place, entries_crc, crc);
  out.resize(kSectorBytes);
  return out;
}

// For programs that know no GPT: the whole disk is taken.
std::string ProtectiveMbr(uint64_t sectors) {
  std::string out(446, '\0');
  PutLe(out, 0x00020000, 4);  // not active; starts at head 0, sector 2
  PutLe(out, 0xffffffee, 4);  // type EE; ends beyond what can be said
  PutLe(out, 1, 4);
  PutLe(out, std::min<uint64_t>(sectors - 1, UINT32_MAX), 4);
  out.resize(510);
  PutLe(out, 0xaa55, 2);
  return out;
}

Status CheckPartitions(uint64_t disk_bytes, const std::vector<GptPartition>& partitions) {
  if (partitions.size() > kGptEntries) return Error(Errc::kInvalid, StrCat("more than ", kGptEntries, " partitions"));
  uint64_t free_from = kGptHeadBytes;
  for (const GptPartition& partition : partitions) {
    const bool whole =
        partition.offset % kSectorBytes == 0 && partition.bytes % kSectorBytes == 0 && partition.bytes > 0;
    const bool fits = partition.offset >= free_from && partition.offset <= disk_bytes - kGptTailBytes &&
                      partition.bytes <= disk_bytes - kGptTailBytes - partition.offset;
    if (!whole || !fits) {
      return Error(Errc::kInvalid,
                   StrCat("the partition ", Escape(partition.name), " at ", partition.offset, " with ", partition.bytes,
                          " bytes overlaps another or the table, or is no whole "
                          "sectors"));
    }
    if (partition.name.size() > kGptNameUnits) {
      return Error(Errc::kInvalid, StrCat("the partition name ", Escape(partition.name), " is too long"));
    }
    free_from = partition.offset + partition.bytes;
  }
  return Ok();
}

}  // namespace

Result<GptTable> MakeGpt(uint64_t disk_bytes, const Uuid& disk_id, const std::vector<GptPartition>& partitions) {
  if (disk_bytes % kSectorBytes != 0 || disk_bytes < kGptHeadBytes + kGptTailBytes) {
    return Error(Errc::kInvalid, StrCat("a disk of ", disk_bytes, " bytes cannot hold a partition table"));
  }
  TRY(CheckPartitions(disk_bytes, partitions));
  const uint64_t sectors = disk_bytes / kSectorBytes;
  const uint64_t last = sectors - 1;
  const std::string entries = Entries(partitions);
  const uint32_t crc = GptCrc(entries);
  GptTable table;
  table.head = ProtectiveMbr(sectors) + HeaderSector(sectors, disk_id, {1, last, 2}, crc) + entries;
  table.tail = entries + HeaderSector(sectors, disk_id, {last, 1, last - kTableSectors}, crc);
  return table;
}

}  // namespace hostapp
