// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/boot_mount.h"

#include <blkid/blkid.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdlib>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr const char* kUsualPlace = "/boot";
// What loaders read and `hostapp-image disk` makes.
constexpr std::array kFilesystems = {"ext4", "vfat", "xfs", "btrfs"};
constexpr unsigned long kFlags = MS_NODEV | MS_NOEXEC | MS_NOSUID | MS_NOATIME;

bool IsOn(const std::string& folder, dev_t device) {
  struct stat info {};
  return ::stat(folder.c_str(), &info) == 0 && info.st_dev == device;
}

Status Mount(const std::string& device, const std::string& folder) {
  int error = ENODEV;
  for (const char* type : kFilesystems) {
    if (::mount(device.c_str(), folder.c_str(), type, kFlags, nullptr) == 0) return Ok();
    // "Not one of those" and "the kernel has no such driver"; anything else is a fact about this file system.
    error = errno;
    if (error != EINVAL && error != ENODEV) break;
  }
  return SysError(error, StrCat("mounting the boot file system ", Escape(device)));
}

}  // namespace

Result<std::string> FindBlockDevice(const std::string& device) {
  if (device.starts_with('/')) return device;
  const std::unique_ptr<char, decltype(&std::free)> found(::blkid_evaluate_spec(device.c_str(), nullptr), &std::free);
  if (found != nullptr) return std::string(found.get());
  return Error(Errc::kNotFound, StrCat("the boot file system ", Escape(device), ": there is no such partition"));
}

Result<std::string> FileSystemUuid(const std::string& device) {
  ASSIGN_OR_RETURN(const std::string path, FindBlockDevice(device));
  const std::unique_ptr<struct blkid_struct_probe, decltype(&::blkid_free_probe)> probe(
      ::blkid_new_probe_from_filename(path.c_str()), &::blkid_free_probe);
  const char* uuid = nullptr;
  if (probe != nullptr && ::blkid_do_safeprobe(probe.get()) == 0 &&
      ::blkid_probe_lookup_value(probe.get(), "UUID", &uuid, nullptr) == 0) {
    return std::string(uuid);
  }
  return Error(Errc::kNotFound,
               StrCat("the boot file system ", Escape(device), ": there is no UUID on ", Escape(path)));
}

Result<std::shared_ptr<const BootMount>> BootMount::Open(const std::string& device, const std::string& folder) {
  ASSIGN_OR_RETURN(const std::string path, FindBlockDevice(device));
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return SysError(errno, StrCat("looking at ", Escape(path)));
  if (!S_ISBLK(info.st_mode)) return Error(Errc::kNotFound, StrCat(Escape(path), ": no block device"));
  for (const std::string& place : {std::string(kUsualPlace), folder}) {
    if (!IsOn(place, info.st_rdev)) continue;
    // Mounted by a process that was killed, or that still needs it: whoever is last unmounts it.
    return std::shared_ptr<const BootMount>(new BootMount(place, place == folder));
  }
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return SysError(errno, StrCat("making ", Escape(folder)));
  TRY(Mount(path, folder));
  return std::shared_ptr<const BootMount>(new BootMount(folder, true));
}

BootMount::~BootMount() {
  if (ours_) (void)::umount2(path_.c_str(), UMOUNT_NOFOLLOW);
}

}  // namespace hostapp
