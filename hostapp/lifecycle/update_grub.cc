// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/update_grub.h"

#include <fcntl.h>

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
#include "ostree-integration/sysroot/boot_mount.h"
#include "ostree-integration/sysroot/efi_partition.h"

namespace hostapp {
namespace {

constexpr std::string_view kByPartUuid = "PARTUUID=";
constexpr const char* kEspFolder = "/run/hostapp/esp";
constexpr const char* kOptionName = "hostapp";

Result<UniqueFd> OpenVariables(const std::string& path, OpContext& ctx) {
  const auto names =
      path.empty() ? Result<std::vector<std::string>>(std::vector<std::string>()) : ListDir(AT_FDCWD, path);
  if (names.ok() && !names->empty()) return OpenDir(AT_FDCWD, path, ctx.sys);
  return Error(Errc::kInvalid,
               "this machine was not started by UEFI firmware (or efivarfs is not mounted), and GRUB's core image for "
               "BIOS is not updated in place: it lies outside of every file system, and nothing stands behind it");
}

Status TellFirmware(int efivars, const std::string& guid, OpContext& ctx) {
  std::string path = StrCat("/", kGrubEfiPath);
  std::replace(path.begin(), path.end(), '/', '\\');
  ASSIGN_OR_RETURN(EfiPartition partition, FindEfiPartition(guid));
  const EfiBootOption option{
      .active = true, .description = kOptionName, .partition = std::move(partition), .path = path};
  return EnsureEfiBootOptions(efivars, option, 1, ctx);
}

}  // namespace

Result<LoaderUpdate> ReplaceGrub(int esp, const GrubPlace& place, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::string program, MakeGrubEfi(place, ctx));
  LoaderUpdate update{.loader = LoaderKind::kGrub, .path = kGrubEfiPath, .program = HashOf(AsBytes(program))};
  TRY(CheckFallBack(esp, kGrubEfiFallBackPath));
  TRY(ReplaceLoader(esp, program, update, ctx).While("updating GRUB"));
  return update;
}

Result<LoaderUpdate> UpdateGrub(const Device& device, const LoaderConfig& config, const std::string& modules,
                                OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd efivars, OpenVariables(device.sysroot.paths().efivars, ctx));
  if (!config.boot || !config.esp || !config.esp->starts_with(kByPartUuid)) {
    return Error(Errc::kInvalid, StrCat(kLoaderConfigName,
                                        " does not name the boot partition and, by its PARTUUID, the "
                                        "EFI system partition"));
  }
  GrubPlace place{.uuid = {}, .top = "", .modules = modules};
  ASSIGN_OR_RETURN(place.uuid, FileSystemUuid(*config.boot));
  ASSIGN_OR_RETURN(const std::shared_ptr<const BootMount> mount, BootMount::Open(*config.esp, kEspFolder, ctx));
  ASSIGN_OR_RETURN(const UniqueFd esp, OpenDir(AT_FDCWD, mount->path(), ctx.sys));
  // Nobody else writes there meanwhile.
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  ASSIGN_OR_RETURN(LoaderUpdate update, ReplaceGrub(esp.get(), place, ctx));
  TRY(TellFirmware(efivars.get(), config.esp->substr(kByPartUuid.size()), ctx).While("telling the firmware of it"));
  return update;
}

}  // namespace hostapp
