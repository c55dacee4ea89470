// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/block_device.h"

#include <blkid/blkid.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/gpt.h"

namespace hostapp {
namespace {

constexpr int kLoopAttempts = 64;  // another process may take the free one first
constexpr int kReadOnlyDisk = 1;

// With a dot: the number itself is a link.
std::string SysfsOf(dev_t device) { return StrCat("/sys/dev/block/", major(device), ":", minor(device), "/."); }

// Where a disk or a part of it is mounted or held, for people; empty when it cannot be seen.
std::string UsedBy(const std::string& sysfs, dev_t disk) {
  std::vector<std::string> users;
  std::vector<std::string> devices = {StrCat(major(disk), ":", minor(disk))};
  std::vector<std::string> folders = {sysfs};
  const Result<std::vector<std::string>> below = ListDir(AT_FDCWD, sysfs);
  for (const std::string& name : below.ok() ? *below : std::vector<std::string>()) {
    const std::string part = StrCat(sysfs, "/", name);
    if (!Exists(AT_FDCWD, part + "/partition")) continue;
    folders.push_back(part);
    const Result<std::string> number = ReadFile(AT_FDCWD, part + "/dev", 64);
    if (number.ok()) devices.emplace_back(Trim(*number));
  }
  for (const std::string& folder : folders) {
    const Result<std::vector<std::string>> holders = ListDir(AT_FDCWD, folder + "/holders");
    for (const std::string& name : holders.ok() ? *holders : std::vector<std::string>()) users.push_back(name);
  }
  const Result<std::string> mounts = ReadFile(AT_FDCWD, "/proc/self/mountinfo", uint64_t{16} << 20);
  for (const std::string_view line : Split(mounts.ok() ? std::string_view(*mounts) : "", '\n')) {
    const std::vector<std::string_view> words = Split(line, ' ');
    for (const std::string& device : devices) {
      if (words.size() > 4 && words[2] == device) users.push_back(StrCat("mounted at ", Escape(words[4])));
    }
  }
  return Join(users, ", ");
}

Error Busy(const std::string& path, const struct stat& info) {
  const std::string users = UsedBy(SysfsOf(info.st_rdev), info.st_rdev);
  return Error(Errc::kBusy, StrCat(Escape(path), " is in use", users.empty() ? "" : " (", users,
                                   users.empty() ? "" : ")", ": unmount it, or end what holds it"));
}

Status CheckKind(const std::string& path, const struct stat& info) {
  if (!S_ISBLK(info.st_mode)) {
    return Error(Errc::kInvalid, StrCat(Escape(path),
                                        " is no block device; a disk image in a file is made by "
                                        "hostapp-image disk"));
  }
  if (!Exists(AT_FDCWD, SysfsOf(info.st_rdev) + "/partition")) return Ok();
  return Error(Errc::kInvalid, StrCat(Escape(path), " is a partition; a whole disk is needed"));
}

Status CheckGeometry(int fd, const std::string& path) {
  int read_only = 0;
  int sector_bytes = 0;
  if (::ioctl(fd, BLKROGET, &read_only) != 0 || ::ioctl(fd, BLKSSZGET, &sector_bytes) != 0) {
    return SysError(errno, StrCat("asking what ", Escape(path), " is"));
  }
  if (read_only == kReadOnlyDisk) return Error(Errc::kInvalid, StrCat(Escape(path), " is read-only"));
  if (sector_bytes == static_cast<int>(kSectorBytes)) return Ok();
  return Error(Errc::kInvalid, StrCat(Escape(path), " has sectors of ", sector_bytes,
                                      " bytes; this version makes disks with sectors of ", kSectorBytes));
}

Status SetOption(int context, const char* name, const std::string& value) {
  if (::fsconfig(context, FSCONFIG_SET_STRING, name, value.c_str(), 0) == 0) return Ok();
  return SysError(errno, StrCat("mounting: the option ", name));
}

}  // namespace

Result<WholeDisk> WholeDisk::Open(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return SysError(errno, StrCat("looking at ", Escape(path)));
  TRY(CheckKind(path, info));
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_EXCL | O_CLOEXEC));
  if (!fd.valid() && errno == EBUSY) return Busy(path, info);
  if (!fd.valid()) return SysError(errno, StrCat("opening ", Escape(path)));
  WholeDisk disk(std::move(fd), path);
  TRY(CheckGeometry(disk.fd(), path));
  if (::ioctl(disk.fd(), BLKGETSIZE64, &disk.bytes_) != 0) return SysError(errno, StrCat("the size of ", Escape(path)));
  return disk;
}

Result<std::optional<std::string>> WholeDisk::Content() const {
  const std::unique_ptr<struct blkid_struct_probe, decltype(&::blkid_free_probe)> probe(::blkid_new_probe(),
                                                                                        &::blkid_free_probe);
  if (probe == nullptr || ::blkid_probe_set_device(probe.get(), fd(), 0, 0) != 0) {
    return SysError(EIO, StrCat("reading ", Escape(path_)));
  }
  ::blkid_probe_enable_superblocks(probe.get(), 1);
  ::blkid_probe_set_superblocks_flags(probe.get(), BLKID_SUBLKS_TYPE | BLKID_SUBLKS_BADCSUM);
  ::blkid_probe_enable_partitions(probe.get(), 1);
  // The first sign is enough, and several are not too many.
  const int found = ::blkid_do_probe(probe.get());
  if (found < 0) return SysError(EIO, StrCat("reading ", Escape(path_)));
  if (found == 1) return std::optional<std::string>();
  const char* name = nullptr;
  if (::blkid_probe_lookup_value(probe.get(), "TYPE", &name, nullptr) == 0) return std::optional(Escape(name));
  if (::blkid_probe_lookup_value(probe.get(), "PTTYPE", &name, nullptr) == 0) {
    return std::optional(StrCat("a partition table (", Escape(name), ")"));
  }
  return std::optional<std::string>("something that libblkid knows");
}

Status WholeDisk::Zero(uint64_t offset, uint64_t bytes, OpContext& ctx) const {
  std::array<uint64_t, 2> range = {offset, bytes};
  const int zeroed = ctx.sys.Ioctl(fd(), BLKZEROOUT, range.data());
  if (zeroed < 0) return SysError(-zeroed, StrCat("clearing ", Escape(path_)));
  return SyncFile(fd(), ctx.sys);
}

Status WholeDisk::Reread(OpContext& ctx) const {
  const int done = ctx.sys.Ioctl(fd(), BLKRRPART, nullptr);
  return done < 0 ? SysError(-done, StrCat("having the kernel read the partition table of ", Escape(path_))) : Ok();
}

Result<DiskPart> DiskPart::Attach(const WholeDisk& disk, uint64_t offset, uint64_t bytes, OpContext& ctx) {
  const UniqueFd control(::open("/dev/loop-control", O_RDWR | O_CLOEXEC));
  if (!control.valid()) return SysError(errno, "opening /dev/loop-control (is the kernel module loop loaded?)");
  loop_config config{};
  config.fd = static_cast<uint32_t>(disk.fd());
  config.info.lo_offset = offset;
  config.info.lo_sizelimit = bytes;
  config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
  for (int attempt = 0; attempt < kLoopAttempts; ++attempt) {
    const int number = ctx.sys.Ioctl(control.get(), LOOP_CTL_GET_FREE, nullptr);
    if (number < 0) return SysError(-number, "finding a free loop device");
    const std::string path = StrCat("/dev/loop", number);
    UniqueFd loop(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!loop.valid()) return SysError(errno, StrCat("opening ", path));
    const int configured = ctx.sys.Ioctl(loop.get(), LOOP_CONFIGURE, &config);
    if (configured >= 0) return DiskPart(std::move(loop), path);
    if (configured != -EBUSY) return SysError(-configured, StrCat("making ", path, " a part of the disk"));
  }
  return Error(Errc::kBusy, "no loop device stays free");
}

Status DiskPart::Finish(OpContext& ctx) const {
  const UniqueFd alone(::open(path_.c_str(), O_RDWR | O_EXCL | O_CLOEXEC));
  if (!alone.valid()) return SysError(errno, StrCat("unmounting ", path_));
  return SyncFile(alone.get(), ctx.sys);
}

Status DetachedMount::CheckType(const std::string& type) {
  const UniqueFd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (context.valid()) return Ok();
  if (errno != ENODEV) return SysError(errno, StrCat("asking the kernel for the file system ", type));
  return Error(Errc::kNotFound, StrCat("this kernel cannot mount ", type, ", and there is no module for it"));
}

Result<DetachedMount> DetachedMount::Open(const std::string& device, const std::string& type) {
  const UniqueFd context(::fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context.valid()) return SysError(errno, StrCat("mounting ", type));
  TRY(SetOption(context.get(), "source", device));
  if (::fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return SysError(errno, StrCat("mounting ", type, " on ", device));
  }
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME));
  if (!mount.valid()) return SysError(errno, StrCat("mounting ", type, " on ", device));
  UniqueFd top(::openat(mount.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top.valid()) return SysError(errno, StrCat("opening the ", type, " on ", device));
  return DetachedMount(std::move(mount), std::move(top));
}

std::string DetachedMount::Path() const { return StrCat("/proc/", ::getpid(), "/fd/", fd()); }

}  // namespace hostapp
