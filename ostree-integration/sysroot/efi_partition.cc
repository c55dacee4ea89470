// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/efi_partition.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/sysroot/boot_mount.h"

namespace hostapp {
namespace {

constexpr uint64_t kKernelSector = 512;
constexpr uint64_t kMaxAttributeBytes = 4096;

Result<uint64_t> NumberIn(int sysfs, const char* name) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(sysfs, name, kMaxAttributeBytes));
  const auto number = ParseUint64(Trim(text));
  if (number) return *number;
  return Error(Errc::kCorrupt, StrCat("the kernel's ", name, " of the partition is no number: ", Escape(Trim(text))));
}

}  // namespace

Result<EfiPartition> ReadEfiPartition(int sysfs, std::string_view guid) {
  if (!Exists(sysfs, "partition")) return Error(Errc::kNotFound, StrCat(Escape(guid), " is no partition of a disk"));
  ASSIGN_OR_RETURN(const uint64_t number, NumberIn(sysfs, "partition"));
  ASSIGN_OR_RETURN(const uint64_t start, NumberIn(sysfs, "start"));
  ASSIGN_OR_RETURN(const uint64_t size, NumberIn(sysfs, "size"));
  ASSIGN_OR_RETURN(const uint64_t block, NumberIn(sysfs, "../queue/logical_block_size"));
  if (block < kKernelSector) {
    return Error(Errc::kCorrupt, StrCat("the disk's blocks of ", block, " bytes are smaller than a sector"));
  }
  return EfiPartition{.number = static_cast<uint32_t>(number),
                      .first_block = start * kKernelSector / block,
                      .blocks = size * kKernelSector / block,
                      .guid = std::string(guid)};
}

Result<EfiPartition> FindEfiPartition(const std::string& guid) {
  ASSIGN_OR_RETURN(const std::string device, FindBlockDevice(StrCat("PARTUUID=", guid)));
  struct stat info {};
  if (::stat(device.c_str(), &info) != 0) return SysError(errno, StrCat("looking at ", Escape(device)));
  const std::string path = StrCat("/sys/dev/block/", major(info.st_rdev), ":", minor(info.st_rdev));
  const UniqueFd sysfs(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!sysfs.valid()) return SysError(errno, StrCat("opening ", path));
  return ReadEfiPartition(sysfs.get(), guid);
}

}  // namespace hostapp
