// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/grow_root.h"

#include <fcntl.h>
#include <linux/blkpg.h>
#include <linux/btrfs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/gpt_growth.h"
#include "hostapp/disk/layout.h"

namespace hostapp {
namespace {

constexpr uint64_t kMostAttributeBytes = 4096;
constexpr uint64_t kWorthwhileBytes = kMiB;

// Of the kernel's ABI, in headers that not every system has (fs/ext4/ext4.h, xfs_fs.h).
constexpr unsigned long kExt4Resize = _IOW('f', 16, uint64_t);
struct XfsGrow {
  uint64_t blocks;
  uint32_t inode_percent;
};
struct XfsGeometry {
  uint32_t block_bytes, extent_blocks, group_blocks, groups, log_blocks, sector_bytes, inode_bytes, inode_percent;
  uint64_t data_blocks, realtime_blocks, realtime_extents, log_start;
  std::array<unsigned char, 16> uuid;
  uint32_t stripe_unit, stripe_width;
  int32_t version;
  uint32_t flags, log_sector_bytes, realtime_sector_bytes, folder_block_bytes;
};
static_assert(sizeof(XfsGeometry) == 112);  // xfs_fsop_geom_v1
constexpr unsigned long kXfsGeometry = _IOR('X', 100, XfsGeometry);
constexpr unsigned long kXfsGrow = _IOW('X', 110, XfsGrow);

Error Failed(int result, std::string_view doing) { return SysError(-result, doing); }

// A partition as the kernel has it.
struct Partition {
  std::string path;   // "/dev/vda4"
  std::string sysfs;  // its folder
  std::string disk;   // "/dev/vda"
  uint64_t number = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

Result<std::string> Attribute(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(AT_FDCWD, path, kMostAttributeBytes));
  return std::string(Trim(text));
}

Result<uint64_t> NumberIn(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, Attribute(path));
  const std::optional<uint64_t> number = ParseUint64(text);
  if (number) return *number;
  return Error(Errc::kInternal, StrCat(path, " holds no number"));
}

Result<std::string> NodeOf(const std::string& sysfs) {
  ASSIGN_OR_RETURN(const std::string event, Attribute(sysfs + "/uevent"));
  for (const std::string_view line : Split(event, '\n')) {
    if (line.starts_with("DEVNAME=")) return StrCat("/dev/", line.substr(8));
  }
  return Error(Errc::kInternal, StrCat(sysfs, "/uevent names no device"));
}

// The number of the block device below; 0: there is none, or several.
Result<dev_t> DeviceBelow(int root, uint32_t file_system) {
  struct stat info {};
  if (::fstat(root, &info) != 0) return SysError(errno, "looking at the root file system");
  if (file_system != BTRFS_SUPER_MAGIC) return info.st_dev;
  btrfs_ioctl_fs_info_args all{};
  if (::ioctl(root, BTRFS_IOC_FS_INFO, &all) != 0) return SysError(errno, "asking btrfs for its devices");
  btrfs_ioctl_dev_info_args one{};
  one.devid = all.max_id;
  if (all.num_devices != 1) return dev_t{0};
  if (::ioctl(root, BTRFS_IOC_DEV_INFO, &one) != 0) return SysError(errno, "asking btrfs for its device");
  one.path[sizeof one.path - 1] = 0;
  const auto* path = reinterpret_cast<const char*>(one.path);
  if (::stat(path, &info) != 0) return SysError(errno, StrCat("looking at btrfs's device ", Escape(path)));
  return info.st_rdev;
}

// Nothing: it is no partition.
Result<std::optional<Partition>> FindPartition(dev_t device) {
  const std::string link = StrCat("/sys/dev/block/", major(device), ":", minor(device));
  if (device == 0 || !Exists(AT_FDCWD, link + "/partition")) return std::optional<Partition>();
  Partition partition{.sysfs = link};
  ASSIGN_OR_RETURN(partition.path, NodeOf(link));
  ASSIGN_OR_RETURN(partition.disk, NodeOf(link + "/.."));
  ASSIGN_OR_RETURN(partition.number, NumberIn(link + "/partition"));
  // Sysfs counts in sectors of 512 bytes, whatever the disk has.
  ASSIGN_OR_RETURN(const uint64_t start, NumberIn(link + "/start"));
  ASSIGN_OR_RETURN(const uint64_t size, NumberIn(link + "/size"));
  partition.offset = start * kSectorBytes;
  partition.bytes = size * kSectorBytes;
  return std::optional(partition);
}

Status WriteTable(int disk, uint64_t disk_bytes, const GptGrowth& growth, OpContext& ctx) {
  TRY(OverwriteInPlace(disk, disk_bytes - kGptTailBytes, AsBytes(growth.tail), ctx.sys)
          .While("writing the second partition table"));
  return OverwriteInPlace(disk, 0, AsBytes(growth.first), ctx.sys).While("writing the first partition table");
}

Status TellKernel(int disk, const Partition& partition, uint64_t bytes, OpContext& ctx) {
  blkpg_partition wanted{};
  wanted.start = static_cast<int64_t>(partition.offset);
  wanted.length = static_cast<int64_t>(bytes);
  wanted.pno = static_cast<int>(partition.number);
  blkpg_ioctl_arg request{.op = BLKPG_RESIZE_PARTITION, .flags = 0, .datalen = sizeof wanted, .data = &wanted};
  const int told = ctx.sys.Ioctl(disk, BLKPG, &request);
  return told < 0 ? Failed(told, "telling the kernel the partition's new size") : Ok();
}

// What was decided, and done: the kernel knows of it too.
Result<GptDecision> GrowPartition(const Partition& partition, OpContext& ctx) {
  const UniqueFd disk(ctx.sys.OpenAt(AT_FDCWD, partition.disk.c_str(), O_RDWR, 0));
  if (!disk.valid()) return Failed(disk.get(), "opening it");
  uint64_t disk_bytes = 0;
  int sector_bytes = 0;
  if (::ioctl(disk.get(), BLKGETSIZE64, &disk_bytes) != 0 || ::ioctl(disk.get(), BLKSSZGET, &sector_bytes) != 0) {
    return SysError(errno, "asking for its size");
  }
  if (sector_bytes != static_cast<int>(kSectorBytes)) {
    return GptDecision{.reason = StrCat("its disk has sectors of ", sector_bytes, " bytes"), .growth = {}};
  }
  std::string head(kGptHeadBytes, '\0');
  const ssize_t got = ::pread(disk.get(), head.data(), head.size(), 0);
  if (got != static_cast<ssize_t>(head.size())) return SysError(got < 0 ? errno : EIO, "reading its partition table");
  ASSIGN_OR_RETURN(GptDecision decision, GrowLastPartition(head, disk_bytes, partition.offset, kRootPartition));
  if (decision.growth) {
    ctx.log.Info(StrCat("growing ", partition.path, " from ", HumanBytes(decision.growth->old_bytes), " to ",
                        HumanBytes(decision.bytes)));
    TRY(WriteTable(disk.get(), disk_bytes, *decision.growth, ctx));
  }
  if (decision.bytes > partition.bytes) TRY(TellKernel(disk.get(), partition, decision.bytes, ctx));
  return decision;
}

Status GrowExt4(int root, uint64_t bytes, OpContext& ctx) {
  struct statfs info {};
  if (::fstatfs(root, &info) != 0) return SysError(errno, "looking at the file system");
  uint64_t blocks = bytes / static_cast<uint64_t>(info.f_bsize);
  // Does nothing when it has them.
  const int grown = ctx.sys.Ioctl(root, kExt4Resize, &blocks);
  return grown < 0 ? Failed(grown, "growing ext4") : Ok();
}

Status GrowXfs(int root, uint64_t bytes, OpContext& ctx) {
  XfsGeometry geometry{};
  if (::ioctl(root, kXfsGeometry, &geometry) != 0) return SysError(errno, "asking xfs for its size");
  if (bytes < geometry.data_blocks * geometry.block_bytes + kWorthwhileBytes) return Ok();
  XfsGrow wanted{.blocks = bytes / geometry.block_bytes, .inode_percent = geometry.inode_percent};
  const int grown = ctx.sys.Ioctl(root, kXfsGrow, &wanted);
  return grown < 0 ? Failed(grown, "growing xfs") : Ok();
}

Status GrowBtrfs(int root, uint64_t bytes, OpContext& ctx) {
  btrfs_ioctl_fs_info_args all{};
  if (::ioctl(root, BTRFS_IOC_FS_INFO, &all) != 0) return SysError(errno, "asking btrfs for its devices");
  btrfs_ioctl_dev_info_args one{};
  one.devid = all.max_id;
  if (::ioctl(root, BTRFS_IOC_DEV_INFO, &one) != 0) return SysError(errno, "asking btrfs for its size");
  if (bytes < one.total_bytes + kWorthwhileBytes) return Ok();
  btrfs_ioctl_vol_args wanted{};
  const std::string text = StrCat(all.max_id, ":max");
  std::memcpy(wanted.name, text.c_str(), text.size() + 1);
  const int grown = ctx.sys.Ioctl(root, BTRFS_IOC_RESIZE, &wanted);
  return grown < 0 ? Failed(grown, "growing btrfs") : Ok();
}

Status GrowFileSystem(int root, uint32_t kind, uint64_t bytes, OpContext& ctx) {
  switch (kind) {
    case EXT4_SUPER_MAGIC:
      return GrowExt4(root, bytes, ctx);
    case XFS_SUPER_MAGIC:
      return GrowXfs(root, bytes, ctx);
    case BTRFS_SUPER_MAGIC:
      return GrowBtrfs(root, bytes, ctx);
    default:
      return Error(Errc::kInvalid, "the root file system is not ext4, xfs or btrfs");
  }
}

Result<uint64_t> SizeOf(int root, OpContext& ctx) {
  struct statvfs info {};
  const int asked = ctx.sys.Fstatvfs(root, &info);
  if (asked < 0) return Failed(asked, "looking at the size of the root file system");
  return uint64_t{info.f_blocks} * info.f_frsize;
}

}  // namespace

Result<GrowReport> GrowRoot(int root, OpContext& ctx) {
  struct statfs info {};
  if (::fstatfs(root, &info) != 0) return SysError(errno, "looking at the root file system");
  const auto kind = static_cast<uint32_t>(info.f_type);
  GrowReport report;
  ASSIGN_OR_RETURN(report.bytes_before, SizeOf(root, ctx));
  report.bytes = report.bytes_before;
  ASSIGN_OR_RETURN(const dev_t below, DeviceBelow(root, kind));
  ASSIGN_OR_RETURN(const std::optional<Partition> partition, FindPartition(below));
  if (!partition) {
    report.reason = "it is not in one partition of a disk";
    return report;
  }
  report.device = partition->path;
  ASSIGN_OR_RETURN(const GptDecision decision, GrowPartition(*partition, ctx).While("the disk ", partition->disk));
  report.reason = decision.reason;
  if (decision.bytes == 0) return report;
  TRY(GrowFileSystem(root, kind, decision.bytes, ctx).While("the file system on ", partition->path));
  TRY(SyncFilesystem(root, ctx.sys));
  ASSIGN_OR_RETURN(report.bytes, SizeOf(root, ctx));
  report.changed = decision.growth || report.bytes != report.bytes_before;
  if (report.changed) report.reason.clear();
  return report;
}

}  // namespace hostapp
