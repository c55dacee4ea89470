// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace hostapp {

// What a root file system may be.
enum class DiskFileSystem { kExt4, kXfs, kBtrfs };

// As mount(8) and our command line name it.
const char* FileSystemName(DiskFileSystem kind);

}  // namespace hostapp
