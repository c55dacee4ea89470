// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/xxh32.h"

#include <array>
#include <bit>

namespace hostapp::composefs {
namespace {

constexpr std::array<uint32_t, 5> kPrime = {0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1};
constexpr size_t kLane = 4;
constexpr size_t kStripe = 4 * kLane;

uint32_t Lane(ByteSpan at) {
  uint32_t value = 0;
  for (size_t i = 0; i < kLane; ++i) value |= std::to_integer<uint32_t>(at[i]) << (8 * i);
  return value;
}

}  // namespace

uint32_t Xxh32(ByteSpan bytes, uint32_t seed) {
  const auto size = static_cast<uint32_t>(bytes.size());
  uint32_t hash = seed + kPrime[4];
  if (bytes.size() >= kStripe) {
    std::array<uint32_t, 4> sums = {seed + kPrime[0] + kPrime[1], seed + kPrime[1], seed, seed - kPrime[0]};
    for (; bytes.size() >= kStripe; bytes = bytes.subspan(kStripe)) {
      for (size_t i = 0; i < sums.size(); ++i)
        sums[i] = std::rotl(sums[i] + Lane(bytes.subspan(kLane * i)) * kPrime[1], 13) * kPrime[0];
    }
    hash = std::rotl(sums[0], 1) + std::rotl(sums[1], 7) + std::rotl(sums[2], 12) + std::rotl(sums[3], 18);
  }
  hash += size;
  for (; bytes.size() >= kLane; bytes = bytes.subspan(kLane))
    hash = std::rotl(hash + Lane(bytes) * kPrime[2], 17) * kPrime[3];
  for (const std::byte byte : bytes)
    hash = std::rotl(hash + std::to_integer<uint32_t>(byte) * kPrime[4], 11) * kPrime[0];
  hash = (hash ^ (hash >> 15)) * kPrime[1];
  hash = (hash ^ (hash >> 13)) * kPrime[2];
  return hash ^ (hash >> 16);
}

}  // namespace hostapp::composefs
