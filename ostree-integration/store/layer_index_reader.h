// SPDX-License-Identifier: Apache-2.0
// A layer index's bytes, one after the other, through a window.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/base/result.h"
#include "ostree-integration/store/layer_index.h"

namespace hostapp::layer_index {

Error Wrong(std::string_view rule);

// After the first error everything that it gives is empty or zero, and status() says what it was: a caller that refuses
// empty names and ends its loops at them needs to ask only once.
class Reader {
 public:
  // `read` outlives it.
  Reader(const ReadIndex& read, uint64_t size) : read_(&read), left_(size) {}

  // Valid until the next call.
  std::string_view Take(uint64_t count);
  uint8_t Byte();
  uint32_t U32() { return static_cast<uint32_t>(Little(4)); }
  uint64_t U64() { return Little(8); }
  // In as few bytes as it takes; anything longer is refused.
  uint64_t Number();
  // Valid until the next call.
  std::string_view Text() { return Take(Number()); }
  Sha256 Id();

  uint64_t left() const { return left_ + (window_.size() - at_); }
  const Status& status() const { return status_; }

 private:
  bool Fill(uint64_t count);
  void Fail(Error error);
  uint64_t Little(size_t count);

  const ReadIndex* read_;
  uint64_t next_ = 0;  // not in the window yet
  uint64_t left_;      // behind it
  std::string window_;
  size_t at_ = 0;
  Status status_;
};

}  // namespace hostapp::layer_index
