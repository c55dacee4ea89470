// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/systemd_boot_install.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr const char* kPackage = "systemd-boot-efi";
constexpr uint64_t kMaxProgramBytes = uint64_t{16} << 20;

}  // namespace

Result<SystemdBootProgram> SystemdBootPaths(std::string_view architecture) {
  if (architecture == "amd64")
    return SystemdBootProgram{
        .path = "EFI/systemd/systemd-bootx64.efi", .fallback_path = "EFI/BOOT/BOOTX64.EFI", .content = {}};
  if (architecture == "arm64")
    return SystemdBootProgram{
        .path = "EFI/systemd/systemd-bootaa64.efi", .fallback_path = "EFI/BOOT/BOOTAA64.EFI", .content = {}};
  return Error(Errc::kInvalid, StrCat("there is no systemd-boot for the architecture ", Escape(architecture)));
}

Result<SystemdBootProgram> ReadSystemdBoot(std::string_view architecture, OpContext& ctx, const std::string& folder) {
  ASSIGN_OR_RETURN(SystemdBootProgram program, SystemdBootPaths(architecture));
  const std::string name = program.path.substr(program.path.rfind('/') + 1);
  const std::string path = StrCat(folder, "/", name);
  if (!Exists(AT_FDCWD, path)) {
    return Error(Errc::kNotFound, StrCat("systemd-boot is not installed: there is no ", Escape(path),
                                         "; install the package ", kPackage));
  }
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(AT_FDCWD, folder, ctx.sys));
  ASSIGN_OR_RETURN(program.content, ReadFile(dir.get(), name, kMaxProgramBytes));
  if (program.content.starts_with("MZ")) return program;
  return Error(Errc::kCorrupt, StrCat(Escape(path), " is no EFI program; install the package ", kPackage, " again"));
}

}  // namespace hostapp
