// SPDX-License-Identifier: Apache-2.0
// Whole files of any size, piece by piece: copied, hashed, compared.
#pragma once

#include <cstdint>
#include <functional>

#include "hostapp/base/bytes.h"
#include "hostapp/base/hash.h"
#include "hostapp/base/result.h"

namespace hostapp {

// Calls `use` with each piece of the file from its start; the descriptor's position stays. kIo, or the first error of
// `use`.
Status ForEachChunk(int fd, const std::function<Status(ByteSpan)>& use);

struct MeasuredFile {
  uint64_t size = 0;
  HashValue sha256;
};
Result<MeasuredFile> MeasureFile(int fd);

}  // namespace hostapp
