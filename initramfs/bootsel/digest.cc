// SPDX-License-Identifier: Apache-2.0
#include "initramfs/bootsel/digest.h"

namespace hostapp::bootsel {
namespace {

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

bool ParseHex(std::string_view hex, std::span<uint8_t> out) {
  if (hex.size() != out.size() * 2) return false;
  for (size_t i = 0; i < out.size(); i++) {
    const int high = HexValue(hex[2 * i]);
    const int low = HexValue(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

size_t FormatHex(std::span<const uint8_t> bytes, char* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (size_t i = 0; i < bytes.size(); i++) {
    out[2 * i] = kDigits[bytes[i] >> 4];
    out[2 * i + 1] = kDigits[bytes[i] & 15];
  }
  return bytes.size() * 2;
}

constexpr size_t BytesOf(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::kSha256:
      return 32;
    case DigestAlgorithm::kSha512:
      return 64;
    case DigestAlgorithm::kNone:
      break;
  }
  return 0;
}

}  // namespace

bool ParseDigest(std::string_view hex, Digest& out) {
  Digest digest;
  if (!ParseHex(hex, digest.bytes)) return false;
  out = digest;
  return true;
}

bool ParseManifestDigest(std::string_view text, ManifestDigest& out) {
  constexpr size_t kPrefixChars = 7;
  ManifestDigest digest;
  if (text.starts_with("sha256:")) digest.algorithm = DigestAlgorithm::kSha256;
  if (text.starts_with("sha512:")) digest.algorithm = DigestAlgorithm::kSha512;
  if (digest.algorithm == DigestAlgorithm::kNone) return false;
  if (!ParseHex(text.substr(kPrefixChars), std::span(digest.bytes).first(BytesOf(digest.algorithm)))) return false;
  out = digest;
  return true;
}

std::string_view FormatDigest(const Digest& digest, std::span<char, kDigestHexChars> out) {
  return {out.data(), FormatHex(digest.bytes, out.data())};
}

std::string_view FormatManifestDigest(const ManifestDigest& digest, std::span<char, kManifestDigestMaxChars> out) {
  if (digest.algorithm == DigestAlgorithm::kNone) return {};
  const std::string_view prefix = digest.algorithm == DigestAlgorithm::kSha256 ? "sha256:" : "sha512:";
  prefix.copy(out.data(), prefix.size());
  const auto bytes = std::span(digest.bytes).first(BytesOf(digest.algorithm));
  return {out.data(), prefix.size() + FormatHex(bytes, out.data() + prefix.size())};
}

}  // namespace hostapp::bootsel
