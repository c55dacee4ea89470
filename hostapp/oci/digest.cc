// SPDX-License-Identifier: Apache-2.0
#include "hostapp/oci/digest.h"

#include <algorithm>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr std::string_view kSha256 = "sha256:";
constexpr std::string_view kSha512 = "sha512:";

std::string_view PrefixOf(HashAlgorithm algorithm) { return algorithm == HashAlgorithm::kSha256 ? kSha256 : kSha512; }

}  // namespace

Result<Digest> Digest::Parse(std::string_view text) {
  const auto wrong = [&](std::string_view rule) {
    return Error(Errc::kCorrupt, StrCat("digest \"", Escape(text.substr(0, 160)), "\": ", rule));
  };
  HashValue value;
  if (text.starts_with(kSha512)) {
    value.algorithm = HashAlgorithm::kSha512;
  } else if (!text.starts_with(kSha256)) {
    return wrong("only sha256 and sha512 are accepted");
  }
  const auto bytes = HexDecode(text.substr(kSha256.size()));
  if (!bytes || bytes->size() != HashSize(value.algorithm)) {
    return wrong(StrCat("must end in ", HashSize(value.algorithm) * 2, " lower-case hexadecimal digits"));
  }
  std::copy(bytes->begin(), bytes->end(), value.bytes.begin());
  return Digest(value);
}

std::string Digest::ToString() const { return StrCat(PrefixOf(algorithm()), Hex()); }

std::string Digest::Short() const { return StrCat(PrefixOf(algorithm()), Hex().substr(0, 12)); }

}  // namespace hostapp
