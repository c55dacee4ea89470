// SPDX-License-Identifier: Apache-2.0
// What a block device says of itself: the file system's kind, UUID and label, and a partition's identity. Pure: bytes
// in, values out; any bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "initramfs/rootfs/text.h"

namespace hostapp::initramfs {

struct Superblock {
  std::string_view type;  // "ext4" (also for ext2 and ext3), "xfs", "btrfs"; others by name only to be refused by it
  bool mountable = false;
  Text<40> uuid;    // lower case, with dashes
  Text<260> label;  // up to the first NUL
};

inline constexpr size_t kSuperblockHeadBytes = 2048;
inline constexpr size_t kBtrfsOffset = 65536;
inline constexpr size_t kBtrfsBytes = 4096;

// `head`: the device's first bytes; `btrfs`: the bytes at kBtrfsOffset; either may be short. An unknown one has no
// type.
Superblock ParseSuperblock(std::span<const std::byte> head, std::span<const std::byte> btrfs);

// Where the entry of partition `number` (from 1 on) stands, in bytes from the start of the disk; 0 if the header is
// none or has no such entry. `header`: the disk's second logical block.
uint64_t GptEntryOffset(std::span<const std::byte> header, uint32_t block_bytes, uint32_t number);

// The entry's own UUID as PARTUUID= writes it, and its name in ASCII (others become '?').
Text<40> GptPartUuid(std::span<const std::byte> entry);
Text<40> GptPartLabel(std::span<const std::byte> entry);

// "1234abcd-01" of an MBR's disk signature; empty if there is none. `first`: the disk's first 512 bytes.
Text<40> MbrPartUuid(std::span<const std::byte> first, uint32_t number);

bool EqualIgnoringCase(std::string_view a, std::string_view b);

}  // namespace hostapp::initramfs
