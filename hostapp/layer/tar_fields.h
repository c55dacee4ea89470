// SPDX-License-Identifier: Apache-2.0
// The 512-byte header block of POSIX ustar ("pax", XCU) and of GNU tar, field by field.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hostapp/base/result.h"

namespace hostapp::tar {

inline constexpr size_t kBlock = 512;

struct Field {
  size_t offset;
  size_t size;
};

inline constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kMtime{136, 12},
    kChecksum{148, 8}, kTypeFlag{156, 1}, kLinkName{157, 100}, kMagic{257, 8}, kUserName{265, 32}, kGroupName{297, 32},
    kDeviceMajor{329, 8}, kDeviceMinor{337, 8}, kPrefix{345, 155};

inline constexpr std::string_view kPosixMagic("ustar\00000", 8);
inline constexpr std::string_view kGnuMagic("ustar  \0", 8);

// Bytes up to the next multiple of kBlock.
constexpr uint64_t PaddingOf(uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

// A number as tar writes it: octal digits, spaces before, spaces or zeros after; or base 256 behind a first byte of
// 0x80, or of 0xff where it is negative. Nothing in it is 0. Nothing for anything else, also for what exceeds 63 bits.
std::optional<int64_t> ParseNumber(std::string_view field);

// The sum of all bytes, the checksum field taken for spaces. POSIX: of unsigned bytes.
uint32_t ChecksumOf(std::string_view block);

bool IsZero(std::string_view bytes);

// A view of one block, whose checksum and magic have been checked.
class Header {
 public:
  // kCorrupt with the rule that is broken.
  static Result<Header> Parse(std::string_view block);

  char type_flag() const { return block_[kTypeFlag.offset]; }
  bool gnu() const { return gnu_; }
  // Up to the first zero byte.
  std::string_view Text(Field field) const;
  // "prefix/name" in a POSIX header.
  std::string Path() const;
  // kCorrupt, naming `what`, for what is no number or is below zero.
  Result<uint64_t> Number(Field field, std::string_view what) const;
  // May be below zero.
  Result<int64_t> SignedNumber(Field field, std::string_view what) const;

 private:
  Header(std::string_view block, bool gnu) : block_(block), gnu_(gnu) {}
  std::string_view Raw(Field field) const { return block_.substr(field.offset, field.size); }

  std::string_view block_;
  bool gnu_;
};

}  // namespace hostapp::tar
