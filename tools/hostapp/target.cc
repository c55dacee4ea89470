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

Result<SysrootPaths> PathsOf(const Target& target) {
  if (target.sysroot && target.sysroot->empty()) return Error(Errc::kInvalid, "--sysroot: the name is empty");
  if (target.boot && target.boot->empty()) return Error(Errc::kInvalid, "--boot: the name is empty");
  Result<SysrootPaths> booted = FindBootedPaths();
  SysrootPaths paths;
  if (!target.sysroot || (booted.ok() && IsSameFolder(*target.sysroot, booted->root))) {
    if (!booted.ok()) return Error(Errc::kInvalid, booted.error().message());
    paths = std::move(booted).value();
  } else {
    paths = {.root = *target.sysroot, .boot = *target.sysroot + "/boot", .boot_record = {}};
  }
  if (target.boot) paths.boot = *target.boot;
  return paths;
}

Result<Device> OpenTarget(const Target& target, OpContext& ctx) {
  ASSIGN_OR_RETURN(const SysrootPaths paths, PathsOf(target));
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
