// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/disk_file_system.h"

namespace hostapp {

const char* FileSystemName(DiskFileSystem kind) {
  switch (kind) {
    case DiskFileSystem::kXfs:
      return "xfs";
    case DiskFileSystem::kBtrfs:
      return "btrfs";
    case DiskFileSystem::kExt4:
      break;
  }
  return "ext4";
}

}  // namespace hostapp
