// SPDX-License-Identifier: Apache-2.0
// The GUID partition table of a disk, as bytes (UEFI specification 2.10, chapter 5). Pure.
//
//   LBA 0        protective MBR: its first 440 bytes are a boot loader's
//   LBA 1        header          LBA 2–33   128 entries
//   last 33      the entries again, and the header again
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hostapp/base/result.h"
#include "hostapp/disk/uuid.h"

namespace hostapp {

inline constexpr uint64_t kSectorBytes = 512;
inline constexpr uint64_t kGptHeadBytes = 34 * kSectorBytes;
inline constexpr uint64_t kGptTailBytes = 33 * kSectorBytes;

struct GptPartition {
  Uuid type;
  Uuid id;
  std::string name;     // ASCII, at most 36 characters
  uint64_t offset = 0;  // bytes, whole sectors
  uint64_t bytes = 0;   // bytes, whole sectors
  uint64_t attributes = 0;
};

// What a boot loader that is not the firmware's looks for ("legacy BIOS bootable").
inline constexpr uint64_t kGptBootable = 1 << 2;

struct GptTable {
  std::string head;  // kGptHeadBytes, at the disk's start
  std::string tail;  // kGptTailBytes, at its end
};

// kInvalid: a partition that is no whole sectors, overlaps another or the table, or whose name does not fit.
Result<GptTable> MakeGpt(uint64_t disk_bytes, const Uuid& disk_id, const std::vector<GptPartition>& partitions);

}  // namespace hostapp
