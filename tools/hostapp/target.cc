// SPDX-License-Identifier: Apache-2.0
#include "tools/hostapp/target.h"

#include <sys/stat.h>

#include <filesystem>

#include "hostapp/base/strings.h"

namespace hostapp::cli {
namespace {

bool IsSameFolder(const std::string& a, const std::string& b) {
  struct stat first {
  }, second{};
  return ::stat(a.c_str(), &first) == 0 && ::stat(b.c_str(), &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

}  // namespace

Result<SysrootPaths> PathsOf(const Target& target, BootNeed need, OpContext& ctx) {
  if (target.sysroot && target.sysroot->empty()) return Error(Errc::kInvalid, "--sysroot: the name is empty");
  if (target.boot && target.boot->empty()) return Error(Errc::kInvalid, "--boot: the name is empty");
  Result<SysrootPaths> booted = FindBootedPaths(target.boot ? BootNeed::kNothing : need, ctx);
  SysrootPaths paths;
  if (!target.sysroot || (booted.ok() && IsSameFolder(*target.sysroot, booted->root))) {
    const bool off_the_device = !booted.ok() && booted.error().code() == Errc::kNotFound && need == BootNeed::kNothing;
    if (off_the_device) return Error(Errc::kInvalid, booted.error().message());
    TRY(booted);
    paths = std::move(booted).value();
  } else {
    paths = {.root = *target.sysroot, .boot = *target.sysroot + "/boot", .boot_mount = {}, .boot_record = {}};
  }
  if (target.boot) paths.boot = *target.boot;
  return paths;
}

Result<Device> OpenTarget(const Target& target, Use use, OpContext& ctx) {
  // Whether there is a device at all, before anything is mounted.
  ASSIGN_OR_RETURN(SysrootPaths paths, PathsOf(target, BootNeed::kNothing, ctx));
  if (use == Use::kLook || paths.boot_record.empty()) return OpenDevice(paths, ctx);
  Result<SysrootPaths> mounted = PathsOf(target, BootNeed::kBoot, ctx);
  if (mounted.ok()) return OpenDevice(*mounted, ctx);
  if (use == Use::kAll) return mounted.error();
  ctx.log.Warning(StrCat(mounted.error().message(), "; the boot loader cannot be told what is decided now"));
  return OpenDevice(paths, ctx);
}

Status CheckMayRestart(Restart restart, const Device& device) {
  if (restart == Restart::kNo || device.booted) return Ok();
  return Error(Errc::kInvalid,
               StrCat("--reboot: ", Escape(device.sysroot.paths().root), " is not the running system's sysroot"));
}

Result<Reference> Anchored(Reference reference) {
  if (reference.transport == Reference::Transport::kRegistry || reference.path.starts_with('/')) return reference;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(reference.path, error);
  if (error) return SysError(error.value(), StrCat("finding the folder of ", Escape(reference.path)));
  reference.path = absolute.lexically_normal().string();
  return reference;
}

}  // namespace hostapp::cli
