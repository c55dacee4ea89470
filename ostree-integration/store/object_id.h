// SPDX-License-Identifier: Apache-2.0
// Names of the store's objects: SHA-256 values.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

#include "hostapp/base/hash.h"
#include "hostapp/base/strings.h"

namespace hostapp {

using Sha256 = std::array<std::byte, 32>;

inline Sha256 ToSha256(const HashValue& value) {
  Sha256 out;
  std::memcpy(out.data(), value.bytes.data(), out.size());
  return out;
}

inline std::string Hex(const Sha256& id) { return HexEncode(id); }

inline std::optional<Sha256> ParseSha256(std::string_view hex) {
  const auto bytes = HexDecode(hex);
  if (!bytes || bytes->size() != sizeof(Sha256)) return std::nullopt;
  Sha256 out;
  std::memcpy(out.data(), bytes->data(), out.size());
  return out;
}

// Of a value that is itself evenly spread: any part of it will do.
struct Sha256Hash {
  size_t operator()(const Sha256& id) const {
    size_t out = 0;
    std::memcpy(&out, id.data(), sizeof out);
    return out;
  }
};

using ObjectSet = std::unordered_set<Sha256, Sha256Hash>;

// Of an object that is a file or a link; the others hold metadata.
inline constexpr std::string_view kFileExtension = "file";

// "ab/cdef….file": where a repository of mode bare keeps an object, below `objects`.
inline std::string ObjectPath(const Sha256& id, std::string_view extension) {
  const std::string hex = Hex(id);
  return StrCat(std::string_view(hex).substr(0, 2), '/', std::string_view(hex).substr(2), '.', extension);
}

// "00" to "ff", the folders of `objects`. A composefs root hides what has such a name at its top: where the store is an
// ordinary lower layer of it, its folders would be seen there.
inline bool IsObjectFolder(std::string_view name) {
  return name.size() == 2 &&
         std::all_of(name.begin(), name.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace hostapp
