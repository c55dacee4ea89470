// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/install_disk.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/disk/block_device.h"
#include "hostapp/disk/fat_writer.h"
#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/disk_loader.h"
#include "hostapp/lifecycle/init_sysroot.h"
#include "ostree-integration/deploy/kargs.h"
#include "ostree-integration/store/import_need.h"

namespace hostapp {
namespace {

constexpr uint64_t kLeastBoot = 128 * kMiB;
constexpr uint64_t kMostBoot = 1024 * kMiB;
constexpr const char* kFat = "vfat";
constexpr uint64_t kSpareRoot = 64 * kMiB;  // journal, tables, the ledger

uint64_t AddUp(uint64_t a, uint64_t b) { return a > UINT64_MAX - b ? UINT64_MAX : a + b; }

Result<HashValue> RandomSeed() {
  std::array<std::byte, 32> chance{};
  if (::getrandom(chance.data(), chance.size(), 0) != static_cast<ssize_t>(chance.size())) {
    return SysError(errno, "making identities");
  }
  return HashOf(chance);
}

// Whether it can be made and mounted here. A FAT is made by the loader's programs.
Status CheckKind(DiskFileSystem kind, FileSystem on_partition) {
  if (on_partition == FileSystem::kFat) return DetachedMount::CheckType(kFat);
  TRY(CheckMakeFileSystem(kind));
  return DetachedMount::CheckType(FileSystemName(kind));
}

// A kernel argument, hostname or loader that cannot be; programs and drivers that are missing.
Status CheckOptions(const InstallOptions& options, OpContext& ctx) {
  for (const std::string& argument : options.kernel_arguments) TRY(CheckKernelArgument(argument));
  if (options.settings.hostname) TRY(CheckHostname(*options.settings.hostname));
  const std::string architecture = HostPlatform().architecture;
  ASSIGN_OR_RETURN(const DiskLayout layout, LayoutFor(options.loader, architecture, 0));
  TRY(CheckLoaderPrograms(options.loader, architecture, ctx));
  TRY(CheckKind(options.file_system, FileSystem::kExt4));
  for (const PartitionWish& wish : layout.before_root) {
    if (wish.content == PartitionContent::kBoot) TRY(CheckKind(DiskFileSystem::kExt4, wish.file_system));
  }
  return Ok();
}

Status CheckEmpty(const WholeDisk& disk, const InstallOptions& options) {
  if (options.erase == InstallOptions::Erase::kWhatIsThere) return Ok();
  ASSIGN_OR_RETURN(const std::optional<std::string> content, disk.Content());
  if (!content) return Ok();
  return Error(Errc::kInvalid, StrCat(Escape(disk.path()), " is not empty, there is ", *content,
                                      " on it; if all that is on it may be lost, say --erase"));
}

// For this image as its manifest tells; DeployImage() looks again when it knows more.
uint64_t LeastRoot(const Manifest& manifest, DiskFileSystem kind) {
  const ImportPlan need = PlanFirstImport(manifest);
  // Inodes of 256 bytes, and what any file system keeps for itself.
  const uint64_t content = AddUp(need.need_bytes, need.need_inodes * 256);
  const uint64_t least = AddUp(AddUp(content, content / 16), kSpareRoot);
  return std::max(LeastBytes(kind), AddUp(least, kMiB - 1) / kMiB * kMiB);
}

Result<DiskPlan> PlanFor(const WholeDisk& disk, const Manifest& manifest, const InstallOptions& options,
                         const HashValue& seed) {
  ASSIGN_OR_RETURN(const DiskLayout layout,
                   LayoutFor(options.loader, HostPlatform().architecture, BootPartitionBytes(disk.bytes())));
  // What is needed besides the root follows from a plan for a disk that is certainly large enough.
  constexpr uint64_t kAnyLarge = uint64_t{1} << 50;
  ASSIGN_OR_RETURN(const DiskPlan large, PlanDisk(layout, {}, kAnyLarge, seed));
  const uint64_t least =
      AddUp(large.partitions.back().partition.offset + kMiB, LeastRoot(manifest, options.file_system));
  if (disk.bytes() >= least) return PlanDisk(layout, {}, disk.bytes(), seed);
  return Error(Errc::kNoSpace, StrCat(Escape(disk.path()), " has ", disk.bytes(), " bytes (", HumanBytes(disk.bytes()),
                                      "), the image may need ", least, " (", HumanBytes(least), ")"));
}

// No sign of what was there before: at the disk's ends, and at those of each part.
Status Clear(const WholeDisk& disk, const DiskPlan& plan, OpContext& ctx) {
  const uint64_t last = disk.bytes() / kSectorBytes * kSectorBytes - kMiB;
  TRY(disk.Zero(0, kMiB, ctx));
  TRY(disk.Zero(last, kMiB, ctx));
  for (const PlannedPartition& planned : plan.partitions) {
    const GptPartition& part = planned.partition;
    // mtools takes for zero what it does not write.
    if (planned.file_system == FileSystem::kFat) TRY(disk.Zero(part.offset, part.bytes, ctx));
    TRY(disk.Zero(part.offset, std::min(part.bytes, kMiB), ctx));
    TRY(disk.Zero(part.offset + part.bytes - std::min(part.bytes, kMiB), std::min(part.bytes, kMiB), ctx));
  }
  return Ok();
}

// The root's or the boot file system's part, made and mounted.
struct Volume {
  DiskPart part;
  DetachedMount mount;
};

Status MakeFat(const WholeDisk& disk, const PlannedPartition& planned, const std::vector<FatFile>& files,
               OpContext& ctx) {
  // Files on the way, in memory.
  ASSIGN_OR_RETURN(const DetachedMount scratch, DetachedMount::Open("hostapp", "tmpfs"));
  const FatOptions options{.offset = planned.partition.offset,
                           .bytes = planned.partition.bytes,
                           .label = FatLabel(planned.partition.name),
                           .serial = FatSerial(planned.uuid),
                           .time = ctx.clock.UnixSeconds()};
  return WriteFat(disk.path(), options, files, scratch.fd(), ctx).While("making ", planned.partition.name);
}

Result<Volume> MakeVolume(const WholeDisk& disk, const PlannedPartition& planned, DiskFileSystem kind, OpContext& ctx) {
  const GptPartition& partition = planned.partition;
  const bool is_fat = planned.file_system == FileSystem::kFat;
  ctx.log.Info(StrCat("making ", partition.name, ", ", HumanBytes(partition.bytes)));
  if (is_fat) TRY(MakeFat(disk, planned, {}, ctx));
  ASSIGN_OR_RETURN(DiskPart part, DiskPart::Attach(disk, partition.offset, partition.bytes, ctx));
  if (!is_fat) TRY(MakeFileSystem(kind, part.path(), planned.uuid, partition.name, ctx));
  ASSIGN_OR_RETURN(DetachedMount mount, DetachedMount::Open(part.path(), is_fat ? kFat : FileSystemName(kind)));
  return Volume{std::move(part), std::move(mount)};
}

// Unmounts it.
Status Finish(std::optional<Volume> volume, OpContext& ctx) {
  if (!volume) return Ok();
  TRY(CheckpointFilesystem(volume->mount.fd(), ctx.sys));
  { const DetachedMount unmounted = std::move(volume->mount); }
  return volume->part.Finish(ctx);
}

void WarnOfSmallBoot(uint64_t free_before, uint64_t free_after, OpContext& ctx) {
  const uint64_t one = free_before - std::min(free_before, free_after);
  if (free_after >= 2 * one) return;
  ctx.log.Warning(StrCat("the boot partition has ", HumanBytes(free_after), " free after a boot set of ",
                         HumanBytes(one), ": three of them do not fit; updates may need hostapp gc in between"));
}

Result<DeployReport> Deploy(const SysrootPaths& paths, const Reference& reference, const ResolvedImage& image,
                            ImageSource& source, const InstallOptions& options, const HashValue& seed, OpContext& ctx) {
  TRY(InitSysroot(paths, ctx));
  ASSIGN_OR_RETURN(Device device, OpenDevice(paths, ctx));
  TRY(PrepareLoader(options.loader, device.sysroot, seed, ctx));
  ASSIGN_OR_RETURN(const FreeSpace before, FreeSpaceOn(device.sysroot.boot(), ctx.sys));
  const DeployOptions deploy{.kernel_arguments = WithRoot(options.loader, options.kernel_arguments, seed),
                             .root = options.root};
  ASSIGN_OR_RETURN(DeployReport report, DeployResolved(device, reference, image, source, deploy, ctx));
  ASSIGN_OR_RETURN(const FreeSpace after, FreeSpaceOn(device.sysroot.boot(), ctx.sys));
  if (options.loader != LoaderKind::kNone) WarnOfSmallBoot(before.bytes, after.bytes, ctx);
  TRY(WriteSettings(device, report.serial, options.settings, ctx));
  return report;
}

Result<DeployReport> MakeSystem(const WholeDisk& disk, const DiskPlan& plan, const Reference& reference,
                                const ResolvedImage& image, ImageSource& source, const InstallOptions& options,
                                const HashValue& seed, OpContext& ctx) {
  std::optional<Volume> boot;
  for (const PlannedPartition& planned : plan.partitions) {
    if (planned.content != PartitionContent::kBoot) continue;
    ASSIGN_OR_RETURN(boot, MakeVolume(disk, planned, DiskFileSystem::kExt4, ctx));
  }
  ASSIGN_OR_RETURN(std::optional<Volume> root, MakeVolume(disk, plan.partitions.back(), options.file_system, ctx));
  const SysrootPaths paths{.root = root->mount.Path(),
                           .boot = boot ? boot->mount.Path() : root->mount.Path() + "/boot",
                           .boot_mount = {},
                           .boot_record = ""};
  ASSIGN_OR_RETURN(DeployReport report, Deploy(paths, reference, image, source, options, seed, ctx));
  TRY(Finish(std::exchange(boot, std::nullopt), ctx).While("the boot file system"));
  TRY(Finish(std::exchange(root, std::nullopt), ctx).While("the root file system"));
  return report;
}

Status WriteLoader(const WholeDisk& disk, const DiskPlan& plan, const LoaderImages& loader, OpContext& ctx) {
  for (const PlannedPartition& planned : plan.partitions) {
    if (planned.content == PartitionContent::kEsp) TRY(MakeFat(disk, planned, loader.esp, ctx));
    if (planned.content != PartitionContent::kBiosBoot) continue;
    TRY(OverwriteInPlace(disk.fd(), planned.partition.offset, AsBytes(loader.bios_boot), ctx.sys));
  }
  return Ok();
}

// What makes a disk of it. The second table first: without the other one nobody looks for it by itself.
Status WriteTable(const WholeDisk& disk, const DiskPlan& plan, const LoaderImages& loader, OpContext& ctx) {
  std::vector<GptPartition> partitions;
  for (const PlannedPartition& planned : plan.partitions) partitions.push_back(planned.partition);
  ASSIGN_OR_RETURN(GptTable table, MakeGpt(plan.bytes, plan.id, partitions));
  table.head.replace(0, loader.boot_code.size(), loader.boot_code);
  TRY(SyncFile(disk.fd(), ctx.sys));
  TRY(OverwriteInPlace(disk.fd(), plan.bytes - kGptTailBytes, AsBytes(table.tail), ctx.sys));
  // The entries before the header that vouches for them.
  const std::string_view head = table.head;
  TRY(OverwriteInPlace(disk.fd(), 2 * kSectorBytes, AsBytes(head.substr(2 * kSectorBytes)), ctx.sys));
  return OverwriteInPlace(disk.fd(), 0, AsBytes(head.substr(0, 2 * kSectorBytes)), ctx.sys);
}

}  // namespace

uint64_t BootPartitionBytes(uint64_t disk_bytes) {
  return std::clamp(disk_bytes / 8 / kMiB * kMiB, kLeastBoot, kMostBoot);
}

Result<InstallReport> InstallDisk(const Reference& reference, ImageSource& source, const InstallOptions& options,
                                  OpContext& ctx) {
  TRY(CheckOptions(options, ctx));
  ASSIGN_OR_RETURN(const WholeDisk disk, WholeDisk::Open(options.disk));
  TRY(CheckEmpty(disk, options));
  ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, source, HostPlatform(), ctx));
  ASSIGN_OR_RETURN(const HashValue seed, RandomSeed());
  InstallReport report{
      .manifest_digest = image.manifest.digest, .loader = options.loader, .file_system = options.file_system};
  ASSIGN_OR_RETURN(report.plan, PlanFor(disk, image.manifest, options, seed));
  ASSIGN_OR_RETURN(const LoaderImages loader, MakeLoaderImages(options.loader, report.plan, ctx));
  TRY(ctx.cancel.Check());

  ctx.log.Info(StrCat("clearing ", Escape(disk.path()), ", ", HumanBytes(disk.bytes())));
  TRY(Clear(disk, report.plan, ctx).While("clearing the disk"));
  // Partitions that the kernel knows of are gone; a disk that never has any (a loop device) says no.
  (void)disk.Reread(ctx);
  ASSIGN_OR_RETURN(DeployReport deployed, MakeSystem(disk, report.plan, reference, image, source, options, seed, ctx));
  report.serial = deployed.serial;
  report.root = std::move(deployed.root);
  TRY(WriteLoader(disk, report.plan, loader, ctx).While("writing the boot loader"));
  TRY(ctx.cancel.Check());
  // The commit point.
  TRY(WriteTable(disk, report.plan, loader, ctx).While("writing the partition table"));
  if (const Status read = disk.Reread(ctx); !read.ok()) ctx.log.Debug(read.error().message());
  return report;
}

}  // namespace hostapp
