// SPDX-License-Identifier: Apache-2.0
// Many short pieces of bytes behind one another: no allocation each, four bytes to find one again.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "hostapp/base/check.h"

namespace hostapp::composefs {

// Keeps pieces of at most kMaxPiece bytes where they are until its own end. The owner remembers a piece's length.
class Arena {
 public:
  static constexpr size_t kMaxPiece = 65536;

  // Nearly at the 4 GiB that four bytes reach: what adds pieces asks before it adds the next few.
  bool full() const { return chunks_.size() > kMaxChunks - 4; }

  uint32_t Add(std::string_view piece) {
    CHECK(piece.size() <= kMaxPiece);
    if (piece.size() > kChunk - used_) {
      CHECK(chunks_.size() < kMaxChunks);
      chunks_.push_back(std::make_unique_for_overwrite<char[]>(kChunk));
      used_ = 0;
    }
    if (piece.empty()) return 0;
    std::memcpy(chunks_.back().get() + used_, piece.data(), piece.size());
    const size_t place = (chunks_.size() - 1) * kChunk + used_;
    used_ += piece.size();
    return static_cast<uint32_t>(place);
  }

  std::string_view At(uint32_t place, size_t size) const {
    if (size == 0) return {};
    return {chunks_[place / kChunk].get() + place % kChunk, size};
  }

 private:
  static constexpr size_t kChunk = size_t{1} << 18;
  static constexpr size_t kMaxChunks = (size_t{1} << 32) / kChunk;

  std::vector<std::unique_ptr<char[]>> chunks_;
  size_t used_ = kChunk;  // of the last chunk
};

}  // namespace hostapp::composefs
