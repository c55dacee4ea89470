// SPDX-License-Identifier: Apache-2.0
// What the encoder and the parser of the layer index agree on; docs/formats-store.md has the format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/layer/tar_fields.h"

namespace hostapp::layer_index {

inline constexpr std::string_view kMagic = "hostappI";
inline constexpr size_t kHeaderSize = 112;
using tar::kBlock;

// How an inode begins that is only another name of one before.
inline constexpr uint64_t kHardLink = 0;
// How it begins otherwise: its kind's number, counted from 1, and whether its time is another than the one before.
inline constexpr uint64_t Head(uint64_t kind, bool new_time) { return kind << 1 | uint64_t{new_time}; }

// What inodes have in common is said once: their kind.
enum class KindType : uint8_t { kFile = 1, kFolder = 2, kLink = 3, kImpliedFolder = 4 };
inline constexpr uint8_t kHasXattrs = 8;  // added to any but the last
// What Linux says for every link, and the importer with it.
inline constexpr uint32_t kLinkMode = 0777;

// A difference, modulo 2^64, so that small ones give small numbers whatever their sign: 0, -1, 1, -2, 2, …
inline constexpr uint64_t ToUnsigned(uint64_t step) { return step << 1 ^ (~(step >> 63) + 1); }
inline constexpr uint64_t FromUnsigned(uint64_t value) { return value >> 1 ^ (~(value & 1) + 1); }

// Seven bits a byte, the lowest first; all but the last have the eighth bit.
inline void AppendNumber(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

inline void AppendText(std::string_view text, std::string& out) {
  AppendNumber(text.size(), out);
  out.append(text);
}

// The first block behind content of `size` bytes that begins with `block`.
inline constexpr uint64_t BlockBehind(uint64_t block, uint64_t size) {
  return block + size / kBlock + uint64_t{size % kBlock != 0};
}

}  // namespace hostapp::layer_index
