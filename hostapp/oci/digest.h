// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "hostapp/base/hash.h"
#include "hostapp/base/result.h"

namespace hostapp {

// A content digest as OCI image-spec "descriptor.md" writes it: algorithm and hash. Valid by construction: whoever
// holds one may use its text as a file name or in a URL.
class Digest {
 public:
  // "sha256:" and 64, or "sha512:" and 128 lower-case hexadecimal digits. Anything else, other algorithms too:
  // kCorrupt.
  static Result<Digest> Parse(std::string_view text);
  static Digest Of(ByteSpan bytes) { return Digest(HashOf(bytes)); }
  explicit Digest(const HashValue& value) : value_(value) {}

  HashAlgorithm algorithm() const { return value_.algorithm; }
  const HashValue& value() const { return value_; }
  std::string Hex() const { return value_.Hex(); }
  std::string ToString() const;
  // "sha256:0123456789ab", for messages.
  std::string Short() const;

  auto operator<=>(const Digest&) const = default;

 private:
  HashValue value_;
};

}  // namespace hostapp
