// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/uuid.h"

#include <algorithm>

#include "hostapp/base/strings.h"

namespace hostapp {

std::string Uuid::ToString() const {
  const std::string hex = HexEncode(bytes);
  const std::string_view text = hex;
  return StrCat(text.substr(0, 8), "-", text.substr(8, 4), "-", text.substr(12, 4), "-", text.substr(16, 4), "-",
                text.substr(20));
}

std::optional<Uuid> ParseUuid(std::string_view text) {
  std::string hex(text);
  std::erase(hex, '-');
  const auto bytes = HexDecode(ToLower(hex));
  Uuid uuid;
  if (!bytes || bytes->size() != uuid.bytes.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), uuid.bytes.begin());
  if (uuid.ToString() != ToLower(text)) return std::nullopt;
  return uuid;
}

Uuid DeriveUuid(const HashValue& seed, std::string_view purpose) {
  Hasher hasher;
  hasher.Update(seed.span());
  hasher.Update(AsBytes(purpose));
  const HashValue hash = hasher.Finish();
  Uuid uuid;
  std::copy_n(hash.bytes.begin(), uuid.bytes.size(), uuid.bytes.begin());
  uuid.bytes[6] = (uuid.bytes[6] & std::byte{0x0f}) | std::byte{0x80};
  uuid.bytes[8] = (uuid.bytes[8] & std::byte{0x3f}) | std::byte{0x80};
  return uuid;
}

}  // namespace hostapp
