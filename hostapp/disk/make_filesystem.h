// SPDX-License-Identifier: Apache-2.0
// An empty file system on a block device, by the programs that belong to it.
#pragma once

#include <string>

#include "hostapp/base/disk_file_system.h"
#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/disk/uuid.h"

namespace hostapp {

// Bytes below which its program makes none, with some room.
uint64_t LeastBytes(DiskFileSystem kind);

// kNotFound, with the package, when its program is not installed.
Status CheckMakeFileSystem(DiskFileSystem kind);

// Whatever was on the device is lost. kNotFound; kIo, with what the program says; kCancelled.
Status MakeFileSystem(DiskFileSystem kind, const std::string& device, const Uuid& uuid, const std::string& label,
                      OpContext& ctx);

}  // namespace hostapp
