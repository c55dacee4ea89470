// SPDX-License-Identifier: Apache-2.0
// A disk has become larger than its partition table says (a disk image was written to a real disk): the table with its
// last partition reaching to the new end. Pure: bytes in, bytes out.
//
// All of the old table is kept but the one entry's end and what says where the disk ends. The changed sectors of the
// first table lie in the disk's first 4 KiB, so that they can be written at once; the second table goes to its new
// place before.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "hostapp/disk/gpt.h"

namespace hostapp {

inline constexpr uint64_t kGptFirstBytes = 4096;

struct GptGrowth {
  uint64_t old_bytes = 0;  // of the partition
  std::string tail;        // kGptTailBytes, to be at the disk's end, durably, before
  std::string first;       // kGptFirstBytes, to be at its start
};

struct GptDecision {
  std::string reason;               // why the table is left as it is, for people
  uint64_t bytes = 0;               // of the partition, as the table says now or will; 0: it is not to be touched
  std::optional<GptGrowth> growth;  // of the table
};

// `head`: the first kGptHeadBytes of a disk of `disk_bytes`. The partition is the one that begins at `offset`; it is
// only ever touched when it is the last one and is called `name`. It gets all whole MiB but the last, which is the
// second table's, and never shrinks. kCorrupt: a table that is damaged.
Result<GptDecision> GrowLastPartition(std::string_view head, uint64_t disk_bytes, uint64_t offset,
                                      std::string_view name);

}  // namespace hostapp
