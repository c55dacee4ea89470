// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/tar_fields.h"

#include <limits>

#include "hostapp/base/strings.h"

namespace hostapp::tar {
namespace {

// What GNU tar keeps where POSIX has the prefix: access and change time, then what only incremental and sparse archives
// use. Some readers take other bytes there for a prefix after all.
constexpr Field kGnuTimes{345, 12}, kGnuChangeTime{357, 12}, kGnuRest{369, 131};

// star's own format hides other fields in the prefix and says so here.
constexpr Field kStarTrailer{508, 4};

Error Wrong(std::string_view rule) { return Error(Errc::kCorrupt, std::string(rule)); }

std::optional<int64_t> ParseBase256(std::string_view field) {
  const auto first = static_cast<unsigned char>(field[0]);
  if (first != 0x80 && first != 0xff) return std::nullopt;
  const bool negative = first == 0xff;
  uint64_t value = negative ? std::numeric_limits<uint64_t>::max() : 0;
  for (const char c : field.substr(1)) {
    const uint64_t top = value >> 55;
    if (top != (negative ? 0x1ff : 0)) return std::nullopt;
    value = value << 8 | static_cast<unsigned char>(c);
  }
  return static_cast<int64_t>(value);
}

bool IsNumberOrEmpty(std::string_view field) { return ParseNumber(field).has_value(); }

Result<bool> IsGnu(std::string_view block) {
  const std::string_view magic = block.substr(kMagic.offset, kMagic.size);
  if (magic == kPosixMagic) {
    const std::string_view trailer = block.substr(kStarTrailer.offset, kStarTrailer.size);
    if (trailer == std::string_view("tar\0", 4)) return Wrong("a header of star's own format");
    return false;
  }
  if (magic != kGnuMagic) return Wrong("no POSIX or GNU tar header (magic)");
  const bool known = IsNumberOrEmpty(block.substr(kGnuTimes.offset, kGnuTimes.size)) &&
                     IsNumberOrEmpty(block.substr(kGnuChangeTime.offset, kGnuChangeTime.size)) &&
                     IsZero(block.substr(kGnuRest.offset, kGnuRest.size));
  if (!known) return Wrong("a GNU header with a prefix, or of an incremental or sparse archive");
  return true;
}

}  // namespace

std::optional<int64_t> ParseNumber(std::string_view field) {
  if (!field.empty() && (field[0] & '\x80') != 0) return ParseBase256(field);
  size_t at = field.find_first_not_of(' ');
  if (at == std::string_view::npos) return 0;
  int64_t value = 0;
  for (; at < field.size() && field[at] >= '0' && field[at] <= '7'; ++at) {
    if (value > (std::numeric_limits<int64_t>::max() >> 3)) return std::nullopt;
    value = value * 8 + (field[at] - '0');
  }
  for (; at < field.size(); ++at) {
    if (field[at] != ' ' && field[at] != '\0') return std::nullopt;
  }
  return value;
}

uint32_t ChecksumOf(std::string_view block) {
  uint32_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool in_field = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += in_field ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

bool IsZero(std::string_view bytes) { return bytes.find_first_not_of('\0') == std::string_view::npos; }

Result<Header> Header::Parse(std::string_view block) {
  const std::optional<int64_t> sum = ParseNumber(block.substr(kChecksum.offset, kChecksum.size));
  if (!sum || *sum != ChecksumOf(block)) return Wrong("the header's checksum is wrong");
  ASSIGN_OR_RETURN(const bool gnu, IsGnu(block));
  return Header(block, gnu);
}

std::string_view Header::Text(Field field) const {
  const std::string_view raw = Raw(field);
  return raw.substr(0, raw.find('\0'));
}

std::string Header::Path() const {
  const std::string_view prefix = gnu_ ? std::string_view() : Text(kPrefix);
  if (prefix.empty()) return std::string(Text(kName));
  return StrCat(prefix, '/', Text(kName));
}

Result<int64_t> Header::SignedNumber(Field field, std::string_view what) const {
  const std::optional<int64_t> value = ParseNumber(Raw(field));
  if (!value) return Wrong(StrCat("the ", what, " is no number in 63 bits"));
  return *value;
}

Result<uint64_t> Header::Number(Field field, std::string_view what) const {
  ASSIGN_OR_RETURN(const int64_t value, SignedNumber(field, what));
  if (value < 0) return Wrong(StrCat("the ", what, " is below zero"));
  return static_cast<uint64_t>(value);
}

}  // namespace hostapp::tar
