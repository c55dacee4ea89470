// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "hostapp/base/hash.h"

namespace hostapp {

// In the order in which it is written down.
struct Uuid {
  std::array<std::byte, 16> bytes{};

  std::string ToString() const;  // "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"
  bool operator==(const Uuid&) const = default;
};

std::optional<Uuid> ParseUuid(std::string_view text);

// A UUID of version 8 (RFC 9562) that follows from `seed` and `purpose` alone.
Uuid DeriveUuid(const HashValue& seed, std::string_view purpose);

}  // namespace hostapp
