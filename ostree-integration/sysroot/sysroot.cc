// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/sysroot.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/sysroot/open_loader.h"

namespace hostapp {
namespace {

constexpr mode_t kPrivate = 0700;
constexpr mode_t kPublic = 0755;
constexpr const char* kBootFolder = "boot";
constexpr const char* kEfivarsPath = "/sys/firmware/efi/efivars";
constexpr const char* kBootMountPath = "/run/hostapp/boot-fs";

bool IsOtherFilesystem(const char* path, const char* than) {
  struct stat info {};
  struct stat other {};
  return ::stat(path, &info) == 0 && ::stat(than, &other) == 0 && info.st_dev != other.st_dev;
}

Status MakeSyncedDirs(int dir, std::string_view path, mode_t mode, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd made, MakeDirs(dir, path, mode, ctx.sys));
  return SyncDir(made.get(), ctx.sys);
}

}  // namespace

Result<SysrootPaths> FindBootedPaths(BootNeed need, OpContext& ctx) {
  if (!Exists(AT_FDCWD, "/sysroot/hostapp")) {
    return Error(Errc::kNotFound,
                 "this system was not booted from a hostapp deployment; name a sysroot with --sysroot");
  }
  SysrootPaths paths{
      .root = "/sysroot", .boot = {}, .boot_mount = {}, .boot_record = kBootRecordPath, .efivars = kEfivarsPath};
  // A composefs root is a file system itself: its own folder /boot is none.
  const bool own_boot = IsOtherFilesystem("/boot", "/") && IsOtherFilesystem("/boot", "/sysroot");
  paths.boot = own_boot ? "/boot" : "/sysroot/boot";
  const UniqueFd hostapp(::open("/sysroot/hostapp", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Result<LoaderConfig> configured = ReadLoaderConfig(hostapp.get());
  if (need == BootNeed::kNothing) {
    // A folder of that name on the root is not what the boot loader reads.
    const bool elsewhere = !own_boot && configured.ok() && configured->boot;
    if (elsewhere || !Exists(AT_FDCWD, paths.boot)) paths.boot.clear();
    return paths;
  }
  ASSIGN_OR_RETURN(const LoaderConfig loader, configured);
  if (!loader.boot) return paths;
  ASSIGN_OR_RETURN(paths.boot_mount, BootMount::Open(*loader.boot, kBootMountPath, ctx));
  paths.boot = paths.boot_mount->path();
  return paths;
}

Result<Sysroot> Sysroot::Open(const SysrootPaths& paths, OpContext& ctx) {
  Sysroot sysroot;
  sysroot.paths_ = paths;
  ASSIGN_OR_RETURN(sysroot.root_, OpenDir(AT_FDCWD, paths.root, ctx.sys));
  if (!Exists(sysroot.root(), kDeploymentsDir)) {
    return Error(Errc::kNotFound, StrCat(Escape(paths.root), ": no sysroot there; make one with: hostapp --sysroot ",
                                         Escape(paths.root), " init"));
  }
  if (!paths.boot.empty()) {
    ASSIGN_OR_RETURN(sysroot.boot_, OpenDir(AT_FDCWD, paths.boot, ctx.sys));
  }
  ASSIGN_OR_RETURN(sysroot.hostapp_, OpenDir(sysroot.root(), kHostappDir, ctx.sys));
  ASSIGN_OR_RETURN(sysroot.deployments_, OpenDir(sysroot.root(), kDeploymentsDir, ctx.sys));
  return sysroot;
}

Status MakeSysrootDirs(const SysrootPaths& paths, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd root, MakeDirs(AT_FDCWD, paths.root, kPublic, ctx.sys));
  TRY(MakeSyncedDirs(root.get(), "hostapp", kPublic, ctx));
  TRY(MakeSyncedDirs(root.get(), kTmpDir, kPrivate, ctx));
  // The deployments' folder comes last: it is what Open() looks for.
  ASSIGN_OR_RETURN(const UniqueFd boot, MakeDirs(AT_FDCWD, paths.boot, kPublic, ctx.sys));
  TRY(MakeSyncedDirs(boot.get(), kBootSetsDir, kPublic, ctx));
  TRY(SyncDir(boot.get(), ctx.sys));
  // Where another file system is /boot, this is what stands for it while that is not mounted.
  TRY(MakeSyncedDirs(root.get(), kBootFolder, kPublic, ctx));
  TRY(MakeSyncedDirs(root.get(), kDeploymentsDir, kPublic, ctx));
  // All of it, and the folders above the root that may be new too.
  return SyncFilesystem(root.get(), ctx.sys);
}

Result<StoreLock> StoreLock::Acquire(const Sysroot& sysroot, OpContext& ctx) {
  ASSIGN_OR_RETURN(FileLock lock,
                   FileLock::Acquire(sysroot.hostapp(), "store.lock", FileLock::Wait::kNo, ctx.cancel, ctx.sys));
  return StoreLock(std::move(lock));
}

Result<LedgerLock> LedgerLock::Acquire(const Sysroot& sysroot, OpContext& ctx) {
  ASSIGN_OR_RETURN(FileLock lock,
                   FileLock::Acquire(sysroot.hostapp(), "ledger.lock", FileLock::Wait::kYes, ctx.cancel, ctx.sys));
  return LedgerLock(std::move(lock));
}

}  // namespace hostapp
