// SPDX-License-Identifier: Apache-2.0
// A FAT32 file system with a few files, in a part of a file: by mtools, without root, and bit for bit the same for the
// same input.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

struct FatFile {
  std::string path;  // "EFI/BOOT/BOOTX64.EFI"; its folders are made
  std::string content;
};

struct FatOptions {
  uint64_t offset = 0;  // where it begins in the file, and
  uint64_t bytes = 0;   // how long it is: whole sectors, at least 33 MiB
  std::string label;    // at most 11 characters
  uint32_t serial = 0;
  int64_t time = 0;  // of everything; not before 1980
};

// `scratch` is an open folder for a file on the way. Not synced; an error leaves a part of it. kNotFound: mtools is not
// installed; kIo, with what mtools says (no room too); kCancelled.
Status WriteFat(const std::string& file, const FatOptions& options, const std::vector<FatFile>& files, int scratch,
                OpContext& ctx);

// How blkid(8) prints such a serial: "1A2B-3C4D".
std::string FatUuid(uint32_t serial);

}  // namespace hostapp
