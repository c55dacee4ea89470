// SPDX-License-Identifier: Apache-2.0
// Whole files: of any size piece by piece (copied, hashed, compared), small ones of an image at once.
#pragma once

#include <cstdint>
#include <functional>

#include "hostapp/base/bytes.h"
#include "hostapp/base/hash.h"
#include "hostapp/base/result.h"
#include "ostree-integration/store/image_store.h"

namespace hostapp {

// Calls `use` with each piece of the file from its start; the descriptor's position stays. kIo, or the first error of
// `use`.
Status ForEachChunk(int fd, const std::function<Status(ByteSpan)>& use);

struct MeasuredFile {
  uint64_t size = 0;
  HashValue sha256;
};
Result<MeasuredFile> MeasureFile(int fd);

// A file of an image's tree, of at most `max_bytes`. Errors as of OpenFile(); kCorrupt if it is longer.
Result<std::string> ReadImageFile(const ImageStore& store, std::string_view commit, const std::string& path,
                                  uint64_t max_bytes);

}  // namespace hostapp
