// SPDX-License-Identifier: Apache-2.0
// A block of 4 KiB that a disk cannot read any more.
#pragma once

#include <cstdint>

namespace hostapp {

// While it lives, pread() of anything in the block of that number fails with EIO, whatever the file. One at a time.
class BadBlock {
 public:
  explicit BadBlock(int64_t number);
  ~BadBlock();
  BadBlock(const BadBlock&) = delete;
  BadBlock& operator=(const BadBlock&) = delete;
};

}  // namespace hostapp
