// SPDX-License-Identifier: Apache-2.0
// PAX extended headers: "length key=value\n" records (POSIX pax, XCU "pax Extended Header").
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/result.h"

namespace hostapp::tar {

struct PaxTime {
  int64_t seconds = 0;
  uint32_t nanos = 0;
};

inline constexpr int64_t kMaxMtime = int64_t{1} << 33;

// What a member's extended header says about it.
struct PaxHeader {
  std::optional<std::string> path, link_path;
  std::optional<uint64_t> size, uid, gid;
  std::optional<PaxTime> mtime;
  std::map<std::string, std::string, std::less<>> xattrs;
  // Keys that say something about the file which this program does not keep (ACLs as text, file flags, …).
  std::vector<std::string> unknown_keys;
};

// kCorrupt: a record that does not parse, a key twice, a sparse file, a character set other than UTF-8 or binary, an
// empty or impossible value, more than `max_xattrs` xattrs, a value over `max_xattr_value`.
Result<PaxHeader> ParsePaxHeader(std::string_view text, size_t max_xattrs, size_t max_xattr_value);

// A global header may hold comments (git writes one) and nothing else: anything more would mean all members that
// follow, which tar readers disagree about.
Status CheckGlobalPaxHeader(std::string_view text);

// Seconds since 1970, cut to 0..kMaxMtime: what lies outside is moved to the nearer end.
PaxTime ClampTime(int64_t seconds, uint32_t nanos);

}  // namespace hostapp::tar
