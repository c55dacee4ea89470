// SPDX-License-Identifier: Apache-2.0
// What the encoder and the parser of the layer index agree on; docs/formats-store.md has the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hostapp::layer_index {

inline constexpr std::string_view kMagic = "hostappI";
inline constexpr size_t kHeaderSize = 160;
inline constexpr size_t kInodeSize = 152;
inline constexpr size_t kEntrySize = 16;
inline constexpr size_t kXattrSize = 16;
inline constexpr size_t kMemberSize = 48;
inline constexpr size_t kDroppedSize = 12;
inline constexpr uint8_t kImpliedFlag = 1;

struct Counts {
  uint64_t inodes = 0, entries = 0, xattrs = 0, members = 0, dropped = 0;
  uint64_t text = 0;     // bytes
  uint64_t framing = 0;  // bytes, compressed

  // No sum here can overflow: each count is below 2^32, each record below 2^8 bytes, the rest is held to the limit.
  uint64_t total() const {
    return kHeaderSize + inodes * kInodeSize + entries * kEntrySize + xattrs * kXattrSize + members * kMemberSize +
           dropped * kDroppedSize + text + framing;
  }
};

}  // namespace hostapp::layer_index
