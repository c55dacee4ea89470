// SPDX-License-Identifier: Apache-2.0
// An image's bytes on their way out: little-endian numbers, text and zeros, gathered, measured and passed on. Private
// to this module.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "ostree-integration/composefs/fs_verity.h"

namespace hostapp::composefs {

// Holds 64 KiB. The first error of the sink is kept for Finish(); what comes after it goes nowhere.
class ImageStream {
 public:
  explicit ImageStream(ByteSink& out) : out_(out) {}

  uint64_t position() const { return passed_on_ + used_; }

  template <std::unsigned_integral T>
  void Number(T value) {
    static_assert(std::endian::native == std::endian::little);
    Text({reinterpret_cast<const char*>(&value), sizeof value});
  }
  void Text(std::string_view text) {
    if (text.empty()) return;  // perhaps of no place at all, which memcpy must not see
    if (text.size() > kBuffer - used_) return TextInPieces(text);
    std::memcpy(buffer_.get() + used_, text.data(), text.size());
    used_ += text.size();
  }
  void Zeros(uint64_t count);
  void ZerosUpTo(uint64_t position) { Zeros(position - this->position()); }
  void AlignTo(uint64_t multiple);

  // Passes on what is left; the fs-verity digest of all, or the sink's error.
  Result<Sha256> Finish();

 private:
  static constexpr size_t kBuffer = 65536;

  void TextInPieces(std::string_view text);
  void PassOn();

  ByteSink& out_;
  Status status_;
  FsVerityHasher hasher_;
  std::unique_ptr<std::byte[]> buffer_ = std::make_unique<std::byte[]>(kBuffer);
  size_t used_ = 0;
  uint64_t passed_on_ = 0;
};

}  // namespace hostapp::composefs
