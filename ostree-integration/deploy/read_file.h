// SPDX-License-Identifier: Apache-2.0
// Whole files: small ones of an image at once, of any size by measure_file.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/base/result.h"
#include "ostree-integration/store/image_store.h"
#include "ostree-integration/sysroot/measure_file.h"

namespace hostapp {

// A file of an image's tree, of at most `max_bytes`. Errors as of OpenFile(); kCorrupt if it is longer.
Result<std::string> ReadImageFile(const ImageStore& store, std::string_view commit, const std::string& path,
                                  uint64_t max_bytes);

}  // namespace hostapp
