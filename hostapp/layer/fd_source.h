// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "hostapp/base/bytes.h"
#include "hostapp/base/result.h"
#include "hostapp/layer/tar_reader.h"

namespace hostapp {

// A regular file's bytes from `offset` to its end, read with pread: the descriptor's position neither counts nor moves,
// so that several may read one file. Does not own the descriptor.
class FdSource : public ByteSource {
 public:
  explicit FdSource(int file, uint64_t offset = 0, uint64_t end = UINT64_MAX)
      : file_(file), offset_(offset), end_(end) {}
  Result<size_t> Read(MutableByteSpan buffer) override;
  Result<uint64_t> Skip(uint64_t size) override;

 private:
  int file_;
  uint64_t offset_, end_;
};

}  // namespace hostapp
