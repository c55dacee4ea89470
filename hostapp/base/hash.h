// SPDX-License-Identifier: Apache-2.0
// SHA-256 and SHA-512 with libcrypto, which uses the CPU's own instructions.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "hostapp/base/bytes.h"

struct evp_md_ctx_st;

namespace hostapp {

enum class HashAlgorithm { kSha256, kSha512 };

constexpr size_t HashSize(HashAlgorithm algorithm) { return algorithm == HashAlgorithm::kSha256 ? 32 : 64; }

// The result of a hash: HashSize() bytes of `bytes` count, the rest is zero.
struct HashValue {
  HashAlgorithm algorithm = HashAlgorithm::kSha256;
  std::array<std::byte, 64> bytes{};

  ByteSpan span() const { return ByteSpan(bytes.data(), HashSize(algorithm)); }
  std::string Hex() const;
  auto operator<=>(const HashValue&) const = default;
};

// Hashes a stream piece by piece. After Finish() it begins a new one.
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm = HashAlgorithm::kSha256);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void Update(ByteSpan bytes);
  HashValue Finish();

 private:
  HashAlgorithm algorithm_;
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

HashValue HashOf(ByteSpan bytes, HashAlgorithm algorithm = HashAlgorithm::kSha256);

}  // namespace hostapp
