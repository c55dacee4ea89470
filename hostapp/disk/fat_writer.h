// SPDX-License-Identifier: Apache-2.0
// A FAT32 file system in a part of a file, with a few files or all of a folder: by mtools, without root, and bit for
// bit the same for the same input.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/disk/tree_size.h"
#include "hostapp/disk/uuid.h"

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

// The same with what is below the open folder `tree`: names, folders and content; FAT has nothing else. kInvalid: a
// name that FAT does not take, or two that it takes for one; kCorrupt: something that is no file or folder.
Status WriteFatTree(const std::string& file, const FatOptions& options, int tree, OpContext& ctx);

// kNotFound when mtools is not installed.
Status CheckFatPrograms();

// Bytes, whole MiB, of a FAT32 that certainly holds `tree` `copies` times, and some MiB more; never less than firmware
// and mtools agree to call FAT32.
uint64_t FatBytes(const TreeSize& tree, uint64_t copies);

// A file system's serial number, of a UUID made for it.
uint32_t FatSerial(const Uuid& uuid);

// How blkid(8) prints such a serial: "1A2B-3C4D".
std::string FatUuid(uint32_t serial);

}  // namespace hostapp
