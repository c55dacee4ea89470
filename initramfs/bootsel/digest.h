// SPDX-License-Identifier: Apache-2.0
// The digests that a ledger holds, and their text. Plain values of fixed size; nothing here allocates or fails but by
// its return value.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hostapp::bootsel {

// A SHA-256: of a boot set, or the fs-verity digest of a composefs image. All zeroes means that there is none.
struct Digest {
  std::array<uint8_t, 32> bytes{};
  friend bool operator==(const Digest&, const Digest&) = default;
};

// The digest of an image's manifest as registries name it: `sha256:<hex>` or `sha512:<hex>`.
enum class DigestAlgorithm : uint8_t { kNone = 0, kSha256 = 1, kSha512 = 2 };
struct ManifestDigest {
  DigestAlgorithm algorithm = DigestAlgorithm::kNone;
  std::array<uint8_t, 64> bytes{};  // the algorithm's length; zeroes after it
  friend bool operator==(const ManifestDigest&, const ManifestDigest&) = default;
};

inline constexpr size_t kDigestHexChars = 64;
inline constexpr size_t kManifestDigestMaxChars = 7 + 128;

// Sixty-four lower-case hex digits and nothing else; false and `out` unchanged for any other text.
bool ParseDigest(std::string_view hex, Digest& out);

// `sha256:` or `sha512:` and the right number of lower-case hex digits; false and `out` unchanged for any other text.
bool ParseManifestDigest(std::string_view text, ManifestDigest& out);

// Writes the text and returns the part of `out` that was used (empty for kNone). No terminating NUL.
std::string_view FormatDigest(const Digest& digest, std::span<char, kDigestHexChars> out);
std::string_view FormatManifestDigest(const ManifestDigest& digest, std::span<char, kManifestDigestMaxChars> out);

}  // namespace hostapp::bootsel
