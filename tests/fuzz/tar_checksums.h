// SPDX-License-Identifier: Apache-2.0
// A fuzzer does not add up checksums.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

#include "hostapp/layer/tar_fields.h"

namespace hostapp::fuzz {

// The right checksum in every block that has the magic of a header.
inline std::string WithChecksums(std::string tar) {
  for (size_t at = 0; at + tar::kBlock <= tar.size(); at += tar::kBlock) {
    const std::string_view block = std::string_view(tar).substr(at, tar::kBlock);
    if (block.substr(tar::kMagic.offset, 5) != "ustar") continue;
    char sum[8];
    std::snprintf(sum, sizeof sum, "%06o", static_cast<unsigned>(tar::ChecksumOf(block)));
    tar.replace(at + tar::kChecksum.offset, sizeof sum, sum, sizeof sum);
  }
  return tar;
}

}  // namespace hostapp::fuzz
