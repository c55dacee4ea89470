// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/hash.h"

#include <openssl/evp.h>

#include "hostapp/base/check.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

// Fetched once: looking an algorithm up takes longer than hashing a small file with it.
const EVP_MD* Implementation(HashAlgorithm algorithm) {
  static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  static EVP_MD* const sha512 = EVP_MD_fetch(nullptr, "SHA512", nullptr);
  return algorithm == HashAlgorithm::kSha256 ? sha256 : sha512;
}

}  // namespace

std::string HashValue::Hex() const { return HexEncode(span()); }

Hasher::Hasher(HashAlgorithm algorithm) : algorithm_(algorithm), context_(EVP_MD_CTX_new()) {
  CHECK(context_ != nullptr);
  CHECK(EVP_DigestInit_ex2(context_.get(), Implementation(algorithm_), nullptr) == 1);
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::Update(ByteSpan bytes) { CHECK(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1); }

HashValue Hasher::Finish() {
  HashValue value{.algorithm = algorithm_};
  CHECK(EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(value.bytes.data()), nullptr) == 1);
  CHECK(EVP_DigestInit_ex2(context_.get(), nullptr, nullptr) == 1);
  return value;
}

void Hasher::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

HashValue HashOf(ByteSpan bytes, HashAlgorithm algorithm) {
  Hasher hasher(algorithm);
  hasher.Update(bytes);
  return hasher.Finish();
}

}  // namespace hostapp
