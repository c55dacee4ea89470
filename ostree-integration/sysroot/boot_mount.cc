// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/boot_mount.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "hostapp/base/durable.h"
#include "hostapp/base/file_lock.h"
#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {
namespace {

constexpr const char* kUsualPlace = "/boot";
// What loaders read and `hostapp-image disk` makes.
constexpr std::string_view kFat = "vfat";
constexpr std::array<std::string_view, 4> kFilesystems = {"ext4", kFat, "xfs", "btrfs"};
constexpr std::chrono::seconds kLongestCheck{120};
constexpr int kMostChecks = 4;
constexpr int kFatWasMended = 1;  // fsck.fat's exit status
constexpr unsigned long kFlags = MS_NODEV | MS_NOEXEC | MS_NOSUID | MS_NOATIME;

constexpr int kMostMounts = 20;

bool IsOn(const std::string& folder, dev_t device) {
  struct stat info {};
  return ::stat(folder.c_str(), &info) == 0 && info.st_dev == device;
}

bool IsOn(const UniqueFd& folder, dev_t device) {
  struct stat info {};
  return ::fstat(folder.get(), &info) == 0 && info.st_dev == device;
}

Status Mount(const std::string& device, const std::string& folder) {
  int error = ENODEV;
  for (const std::string_view type : kFilesystems) {
    const unsigned long flags = type == kFat ? kFlags | MS_DIRSYNC : kFlags;
    if (::mount(device.c_str(), folder.c_str(), type.data(), flags, nullptr) == 0) return Ok();
    // "Not one of those" and "the kernel has no such driver"; anything else is a fact about this file system.
    error = errno;
    if (error != EINVAL && error != ENODEV) break;
  }
  return SysError(error, StrCat("mounting the boot file system ", Escape(device)));
}

// Again until there is nothing to mend: a folder on free clusters is cut to none by the first run (of dosfstools 4.2)
// and removed by the next.
Status CheckFat(const std::string& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::string program, FindProgram("fsck.fat", "dosfstools"));
  for (int runs = 1;; ++runs) {
    ASSIGN_OR_RETURN(const ProgramResult done, RunProgram({program, "-a", device}, kLongestCheck, ctx, {"LC_ALL=C"}));
    if (done.Succeeded()) return Ok();
    const bool has_mended = done.end == ProgramResult::End::kExited && done.code == kFatWasMended;
    if (!has_mended || runs == kMostChecks) {
      return Error(Errc::kCorrupt, StrCat("fsck.fat -a: ", done.Ending(), ": ", Escape(Trim(done.output))));
    }
  }
}

// What a cut or a disk that reorders writes can leave on FAT, Linux refuses and makes all of it read-only, and no
// program can remove it. Whoever mounts FAT checks it first, as systemd does for what fstab names.
bool MendFat(const std::string& device, OpContext& ctx) {
  // Nobody has it mounted, which sets the same bit, and nobody can mount it meanwhile.
  const UniqueFd fd(::open(device.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  std::array<std::byte, kFatHeaderBytes> header{};
  if (!fd.valid() || ::pread(fd.get(), header.data(), header.size(), 0) != ssize_t{header.size()}) return false;
  if (!IsUncleanFat(header)) return false;
  if (const Status mended = CheckFat(device, ctx); !mended.ok()) {
    ctx.log.Warning(StrCat("checking the boot file system ", Escape(device),
                           ", which was in use when the power went: ", mended.error().message()));
  }
  return true;
}

// The clusters that belonged to no file: fsck.fat makes files of them, and a cut in the middle of a kernel leaves as
// much as that has.
void RemoveRecovered(const std::string& folder, OpContext& ctx) {
  const auto remove = [&]() -> Status {
    ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(AT_FDCWD, folder, ctx.sys));
    ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir.get(), "."));
    for (const std::string& name : names) {
      if (::fnmatch("FSCK[0-9][0-9][0-9][0-9].REC", name.c_str(), FNM_CASEFOLD) != 0) continue;
      TRY(RemoveFile(dir.get(), name, ctx.sys));
    }
    return SyncDir(dir.get(), ctx.sys);
  };
  if (const Status removed = remove(); !removed.ok()) {
    ctx.log.Warning(StrCat("removing what fsck.fat has recovered: ", removed.error().message()));
  }
}

}  // namespace

bool IsUncleanFat(std::span<const std::byte, kFatHeaderBytes> header) {
  const auto at = [&](size_t offset) { return std::to_integer<unsigned>(header[offset]); };
  const auto says = [&](size_t offset) { return std::memcmp(&header[offset], "FAT", 3) == 0; };
  if (at(510) != 0x55 || at(511) != 0xAA) return false;
  const bool is_fat32 = at(22) == 0 && at(23) == 0;  // the size of its tables is elsewhere
  return says(is_fat32 ? 82 : 54) && (at(is_fat32 ? 65 : 37) & 1) != 0;
}

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

Result<std::shared_ptr<const BootMount>> BootMount::Open(const std::string& device, const std::string& folder,
                                                         OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::string path, FindBlockDevice(device));
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return SysError(errno, StrCat("looking at ", Escape(path)));
  if (!S_ISBLK(info.st_mode)) return Error(Errc::kNotFound, StrCat(Escape(path), ": no block device"));
  if (IsOn(kUsualPlace, info.st_rdev)) {
    return std::shared_ptr<const BootMount>(new BootMount(kUsualPlace, false, UniqueFd()));
  }
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return SysError(errno, StrCat("making ", Escape(folder)));
  // Another process of ours may be checking and mounting it.
  ASSIGN_OR_RETURN(const FileLock lock,
                   FileLock::Acquire(AT_FDCWD, StrCat(folder, ".lock"), FileLock::Wait::kYes, ctx.cancel, ctx.sys));
  for (int mounts = 0; mounts < kMostMounts; ++mounts) {
    if (!IsOn(folder, info.st_rdev)) {
      const bool was_unclean = MendFat(path, ctx);
      TRY(Mount(path, folder));
      if (was_unclean) RemoveRecovered(folder, ctx);
    }
    // Mounted by a process that was killed, or that still needs it: whoever is last unmounts it. That can be now, until
    // this one has a folder of it open.
    ASSIGN_OR_RETURN(UniqueFd in_use, OpenDir(AT_FDCWD, folder, ctx.sys));
    if (!IsOn(in_use, info.st_rdev)) continue;
    return std::shared_ptr<const BootMount>(new BootMount(folder, true, std::move(in_use)));
  }
  return Error(Errc::kBusy, StrCat("mounting the boot file system ", Escape(device), ": others unmount it"));
}

BootMount::~BootMount() {
  in_use_.Reset(-1);
  if (ours_) (void)::umount2(path_.c_str(), UMOUNT_NOFOLLOW);
}

}  // namespace hostapp
