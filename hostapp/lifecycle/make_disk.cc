// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/make_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/file_lock.h"
#include "hostapp/base/run_program.h"
#include "hostapp/disk/ext4_writer.h"
#include "hostapp/lifecycle/deploy_image.h"
#include "hostapp/lifecycle/disk_loader.h"
#include "hostapp/lifecycle/init_sysroot.h"
#include "ostree-integration/deploy/kargs.h"

namespace hostapp {
namespace {

constexpr const char* kDiskName = "disk";
constexpr const char* kRootName = "root";
constexpr const char* kBootName = "boot";

// The image's time for what is written, the real one for how long it takes.
class ImageClock : public Clock {
 public:
  ImageClock(int64_t seconds, Clock& real) : seconds_(seconds), real_(real) {}
  int64_t UnixSeconds() override { return seconds_; }
  std::chrono::nanoseconds Monotonic() override { return real_.Monotonic(); }
  void Sleep(std::chrono::milliseconds duration) override { real_.Sleep(duration); }

 private:
  int64_t seconds_;
  Clock& real_;
};

// A file's folder and its name there. Never a path that a program could take for something else.
struct Place {
  std::string folder;
  std::string name;
};

Place PlaceOf(const std::string& file) {
  const size_t slash = file.rfind('/');
  if (slash == std::string::npos) return {".", file};
  const std::string folder = slash == 0 ? "/" : file.substr(0, slash);
  return {folder.starts_with('/') ? folder : "./" + folder, file.substr(slash + 1)};
}

Status CheckTarget(int folder, const std::string& name, const std::string& file) {
  if (name.empty() || name == "." || name == "..") {
    return Error(Errc::kInvalid, StrCat(Escape(file), " is no name for a file"));
  }
  // Found out now, not when the image has been fetched.
  if (file.find('?') != std::string::npos) {
    return Error(Errc::kInvalid, StrCat(Escape(file), ": e2fsprogs cannot take a path with a question mark"));
  }
  for (const char* program : {"mke2fs", "e2fsck"}) TRY(FindProgram(program, "e2fsprogs").status());
  struct stat info {};
  if (::fstatat(folder, name.c_str(), &info, 0) == 0 && S_ISBLK(info.st_mode)) {
    return Error(Errc::kInvalid, StrCat(Escape(file),
                                        " is a block device; a disk image is a file. To make a disk bootable from a "
                                        "running system, use: hostapp install"));
  }
  if (::fstatat(folder, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? Ok() : SysError(errno, StrCat("looking at ", Escape(file)));
  }
  if (S_ISREG(info.st_mode)) return Ok();
  return Error(Errc::kInvalid, StrCat(Escape(file), " exists and is no ordinary file: it is not replaced"));
}

// The folder in which a disk is made; gone with its owner.
class WorkFolder {
 public:
  static Result<WorkFolder> Make(int parent, const Place& place, OpContext& ctx);
  WorkFolder(WorkFolder&& other) noexcept = default;
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    // What cannot be removed now, the next run for this file removes.
    if (dir_.valid()) (void)RemoveTree(parent_, name_, *sys_);
  }

  int dir() const { return dir_.get(); }
  std::string Path(const char* name) const { return StrCat(path_, "/", name); }

 private:
  WorkFolder(int parent, std::string name, std::string path, UniqueFd dir, FileLock lock, Syscalls& sys)
      : parent_(parent),
        name_(std::move(name)),
        path_(std::move(path)),
        dir_(std::move(dir)),
        lock_(std::move(lock)),
        sys_(&sys) {}

  int parent_;
  std::string name_;
  std::string path_;
  UniqueFd dir_;
  FileLock lock_;
  Syscalls* sys_;
};

Status CheckOwnFolder(int dir, const std::string& path) {
  struct stat info {};
  if (::fstat(dir, &info) != 0) return SysError(errno, StrCat("looking at ", Escape(path)));
  if (info.st_uid == ::geteuid()) return Ok();
  return Error(Errc::kBusy, StrCat(Escape(path), " belongs to another user; remove it, or name another file"));
}

Result<WorkFolder> WorkFolder::Make(int parent, const Place& place, OpContext& ctx) {
  const std::string name = StrCat(".", place.name, ".hostapp-disk");
  const std::string path = StrCat(place.folder, "/", name);
  const int made = ctx.sys.MkdirAt(parent, name.c_str(), 0700);
  if (made < 0 && made != -EEXIST) return SysError(-made, StrCat("making the folder ", Escape(path)));
  UniqueFd dir(ctx.sys.OpenAt(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0));
  if (!dir.valid()) return SysError(-dir.get(), StrCat("opening the folder ", Escape(path)));
  TRY(CheckOwnFolder(dir.get(), path));
  ASSIGN_OR_RETURN(FileLock lock,
                   FileLock::Acquire(dir.get(), "lock", FileLock::Wait::kNo, ctx.cancel, ctx.sys).While(Escape(path)));
  WorkFolder folder(parent, name, path, std::move(dir), std::move(lock), ctx.sys);
  for (const char* part : {kRootName, kBootName, kDiskName}) TRY(RemoveTree(folder.dir(), part, ctx.sys));
  // What the folder around it would hand down: not to be in the image. (An error means: there is nothing.)
  (void)::fremovexattr(folder.dir(), "system.posix_acl_default");
  (void)::fchmod(folder.dir(), 0700);
  return folder;
}

// Everything that the disk follows from.
HashValue SeedOf(const ResolvedImage& image, const Reference& reference, const DiskOptions& options) {
  std::string text =
      StrCat("hostapp disk 1\n", image.manifest.digest.ToString(), "\n", reference.ToString(), "\n",
             LoaderName(options.loader), "\n", options.bytes.value_or(0), "\n", options.settings.hostname.value_or(""),
             "\n", options.root ? RootName(*options.root) : std::string_view(), "\n");
  for (const std::string& argument : options.kernel_arguments) text += StrCat(argument, "\n");
  text += options.settings.Secrets();
  return HashOf(AsBytes(text));
}

Result<int64_t> TimeOf(const ResolvedImage& image, ImageSource& source, OpContext& ctx) {
  ASSIGN_OR_RETURN(std::string bytes, FetchSmallBlob(image.manifest.config, kMaxConfigBytes, source, ctx));
  ASSIGN_OR_RETURN(const ImageConfig config, ParseImageConfig(std::move(bytes), image.manifest.layers.size()));
  return std::max<int64_t>(0, config.created.value_or(0));
}

Result<DeployReport> MakeSysroot(const WorkFolder& work, const HashValue& seed, const Reference& reference,
                                 const ResolvedImage& image, ImageSource& source, const DiskOptions& options,
                                 OpContext& ctx) {
  ASSIGN_OR_RETURN(const DiskLayout layout, LayoutFor(options.loader, HostPlatform().architecture, 0));
  const std::string root = work.Path(kRootName);
  const SysrootPaths paths{.root = root,
                           .boot = layout.HasBootPartition() ? work.Path(kBootName) : StrCat(root, "/", kBootName),
                           .boot_mount = {},
                           .boot_record = ""};
  TRY(InitSysroot(paths, ctx));
  ASSIGN_OR_RETURN(Device device, OpenDevice(paths, ctx));
  TRY(PrepareLoader(options.loader, device.sysroot, seed, ctx));
  const DeployOptions deploy{.kernel_arguments = WithRoot(options.loader, options.kernel_arguments, seed),
                             .root = options.root};
  ASSIGN_OR_RETURN(DeployReport report, DeployResolved(device, reference, image, source, deploy, ctx));
  TRY(WriteSettings(device, report.serial, options.settings, ctx));
  return report;
}

Result<TreeSize> BootSize(const WorkFolder& work, const AttributeSource& attributes, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd boot, OpenDir(work.dir(), kBootName, ctx.sys));
  return MeasureTree(boot.get(), attributes, ctx);
}

Status WriteAt(int disk, std::string_view bytes, uint64_t offset, OpContext& ctx) {
  while (!bytes.empty()) {
    const ssize_t written = ctx.sys.PwriteAt(disk, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written <= 0) return SysError(written < 0 ? static_cast<int>(-written) : EIO, "writing the disk");
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  return Ok();
}

Status WriteTable(int disk, const DiskPlan& plan, OpContext& ctx) {
  std::vector<GptPartition> partitions;
  for (const PlannedPartition& planned : plan.partitions) partitions.push_back(planned.partition);
  ASSIGN_OR_RETURN(const GptTable table, MakeGpt(plan.bytes, plan.id, partitions));
  TRY(WriteAt(disk, table.head, 0, ctx));
  return WriteAt(disk, table.tail, plan.bytes - kGptTailBytes, ctx);
}

Status WriteTree(const WorkFolder& work, const PlannedPartition& planned, int64_t time,
                 const AttributeSource& attributes, OpContext& ctx) {
  const char* from = planned.content == PartitionContent::kRoot ? kRootName : kBootName;
  ASSIGN_OR_RETURN(const UniqueFd tree, OpenDir(work.dir(), from, ctx.sys));
  ASSIGN_OR_RETURN(const TreeSize size, MeasureTree(tree.get(), attributes, ctx));
  const Ext4Options options{.offset = planned.partition.offset,
                            .bytes = planned.partition.bytes,
                            .inodes = Ext4Inodes(planned.partition.bytes, size),
                            .label = planned.partition.name,
                            .uuid = planned.uuid,
                            .hash_seed = planned.hash_seed,
                            .time = time};
  return WriteExt4(work.Path(kDiskName), options, tree.get(), size, attributes, ctx)
      .While("writing ", HumanBytes(size.blocks * kExt4BlockBytes), " into the disk");
}

// The files, or what is to be on the boot partition.
Status WriteFatPartition(const WorkFolder& work, const PlannedPartition& planned, int64_t time,
                         const std::vector<FatFile>& files, OpContext& ctx) {
  const FatOptions options{.offset = planned.partition.offset,
                           .bytes = planned.partition.bytes,
                           .label = FatLabel(planned.partition.name),
                           .serial = FatSerial(planned.uuid),
                           .time = time};
  if (planned.content == PartitionContent::kBoot) {
    ASSIGN_OR_RETURN(const UniqueFd boot, OpenDir(work.dir(), kBootName, ctx.sys));
    return WriteFatTree(work.Path(kDiskName), options, boot.get(), ctx).While("making the boot partition");
  }
  return WriteFat(work.Path(kDiskName), options, files, work.dir(), ctx).While("making the EFI system partition");
}

Status WritePartition(const WorkFolder& work, int disk, const PlannedPartition& planned, int64_t time,
                      const LoaderImages& loader, const AttributeSource& attributes, OpContext& ctx) {
  switch (planned.content) {
    case PartitionContent::kRoot:
    case PartitionContent::kBoot:
      if (planned.file_system == FileSystem::kFat) return WriteFatPartition(work, planned, time, {}, ctx);
      return WriteTree(work, planned, time, attributes, ctx);
    case PartitionContent::kEsp:
      return WriteFatPartition(work, planned, time, loader.esp, ctx);
    case PartitionContent::kBiosBoot:
      return WriteAt(disk, loader.bios_boot, planned.partition.offset, ctx);
  }
  return Ok();
}

// Returns the bytes that the file takes.
Result<uint64_t> WriteDisk(const WorkFolder& work, const DiskPlan& plan, int64_t time, const LoaderImages& loader,
                           const AttributeSource& attributes, OpContext& ctx) {
  const UniqueFd disk(ctx.sys.OpenAt(work.dir(), kDiskName, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!disk.valid()) return SysError(-disk.get(), "creating the disk");
  if (const int sized = ctx.sys.Truncate(disk.get(), static_cast<off_t>(plan.bytes)); sized < 0) {
    return SysError(-sized, StrCat("making a file of ", plan.bytes, " bytes"));
  }
  for (const PlannedPartition& planned : plan.partitions) {
    TRY(WritePartition(work, disk.get(), planned, time, loader, attributes, ctx));
  }
  TRY(WriteTable(disk.get(), plan, ctx));
  TRY(WriteAt(disk.get(), loader.boot_code, 0, ctx));
  TRY(SyncFile(disk.get(), ctx.sys));
  struct stat info {};
  if (::fstat(disk.get(), &info) != 0) return SysError(errno, "looking at the disk");
  return static_cast<uint64_t>(info.st_blocks) * 512;
}

}  // namespace

Result<DiskReport> MakeDisk(const Reference& reference, ImageSource& source, const DiskOptions& options,
                            OpContext& ctx) {
  for (const std::string& argument : options.kernel_arguments) TRY(CheckKernelArgument(argument));
  if (options.settings.hostname) TRY(CheckHostname(*options.settings.hostname));
  TRY(LayoutFor(options.loader, HostPlatform().architecture, 0).status());
  TRY(CheckLoaderPrograms(options.loader, HostPlatform().architecture, ctx));
  const Place place = PlaceOf(options.file);
  ASSIGN_OR_RETURN(const UniqueFd parent, OpenDir(AT_FDCWD, place.folder, ctx.sys));
  TRY(CheckTarget(parent.get(), place.name, options.file));
  ASSIGN_OR_RETURN(const ResolvedImage image, ResolveImage(reference, source, HostPlatform(), ctx));
  ASSIGN_OR_RETURN(const int64_t time, TimeOf(image, source, ctx));
  const HashValue seed = SeedOf(image, reference, options);

  ASSIGN_OR_RETURN(const WorkFolder work, WorkFolder::Make(parent.get(), place, ctx));
  RecordingSyscalls recorder;
  ImageClock clock(time, ctx.clock);
  OpContext recording{.clock = clock, .log = ctx.log, .progress = ctx.progress, .cancel = ctx.cancel, .sys = recorder};
  const AttributeSource attributes = [&](const struct stat& info) { return recorder.AttributesOf(info); };
  ASSIGN_OR_RETURN(DeployReport deployed, MakeSysroot(work, seed, reference, image, source, options, recording));

  ASSIGN_OR_RETURN(const UniqueFd root, OpenDir(work.dir(), kRootName, ctx.sys));
  ASSIGN_OR_RETURN(const TreeSize size, MeasureTree(root.get(), attributes, ctx));
  uint64_t boot_bytes = 0;
  if (options.loader != LoaderKind::kNone) {
    ASSIGN_OR_RETURN(const TreeSize boot, BootSize(work, attributes, ctx));
    boot_bytes = BootBytes(options.loader, boot);
  }
  ASSIGN_OR_RETURN(const DiskLayout layout, LayoutFor(options.loader, HostPlatform().architecture, boot_bytes));
  DiskReport report{.manifest_digest = image.manifest.digest,
                    .serial = deployed.serial,
                    .root = std::move(deployed.root),
                    .loader = options.loader};
  ASSIGN_OR_RETURN(report.plan, PlanDisk(layout, size, options.bytes, seed));
  ASSIGN_OR_RETURN(const LoaderImages loader, MakeLoaderImages(options.loader, report.plan, ctx));
  ASSIGN_OR_RETURN(report.allocated_bytes, WriteDisk(work, report.plan, time, loader, attributes, ctx));
  TRY(ctx.cancel.Check());
  // The commit point: from here on there is the file.
  TRY(Rename(work.dir(), kDiskName, parent.get(), place.name, ctx.sys));
  TRY(SyncDir(parent.get(), ctx.sys));
  return report;
}

}  // namespace hostapp
