// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/firmware.h"

#include <fcntl.h>

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/descriptor.h"
#include "ostree-integration/deploy/loaders/systemd_boot_install.h"
#include "ostree-integration/sysroot/efi_partition.h"
#include "ostree-integration/sysroot/open_loader.h"

namespace hostapp {
namespace {

constexpr std::string_view kPartUuid = "PARTUUID=";
constexpr const char* kDescription = "hostapp";

// What the options are to start; of the partition its GUID alone. Nothing: this firmware is not ours to tell.
Result<std::optional<EfiBootOption>> Wanted(const Device& device) {
  if (device.sysroot.paths().efivars.empty()) return std::optional<EfiBootOption>();
  ASSIGN_OR_RETURN(const LoaderConfig config, ReadLoaderConfig(device.sysroot.hostapp()));
  if (config.kind != LoaderKind::kSystemdBoot) return std::optional<EfiBootOption>();
  if (!config.esp || !config.esp->starts_with(kPartUuid)) {
    return Error(Errc::kInvalid, StrCat("the firmware finds the boot loader by its partition's PARTUUID, which ",
                                        kLoaderConfigName, " does not have"));
  }
  ASSIGN_OR_RETURN(const SystemdBootProgram program, SystemdBootPaths(HostPlatform().architecture));
  std::string path = StrCat("/", program.path);
  std::replace(path.begin(), path.end(), '/', '\\');
  return std::optional(EfiBootOption{.active = true,
                                     .description = kDescription,
                                     .partition = {.guid = config.esp->substr(kPartUuid.size())},
                                     .path = std::move(path)});
}

Result<int> OptionsFor(const Device& device) {
  ASSIGN_OR_RETURN(const StoredLedger stored, ReadLedger(device.sysroot));
  return std::max<int>(kDefaultTries, stored.ledger.trial.tries_left) + 1;
}

Result<UniqueFd> OpenVariables(const Device& device, OpContext& ctx) {
  const std::string& path = device.sysroot.paths().efivars;
  // A mount point that nothing is mounted on is an empty folder.
  const auto names = ListDir(AT_FDCWD, path);
  if (names.ok() && !names->empty()) return OpenDir(AT_FDCWD, path, ctx.sys);
  return Error(Errc::kNotFound, StrCat("there is nothing in ", Escape(path),
                                       ": the machine was not started by UEFI "
                                       "firmware, or efivarfs is not mounted"));
}

Result<std::optional<std::string>> Missing(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::optional<EfiBootOption> wanted, Wanted(device));
  if (!wanted) return std::optional<std::string>();
  ASSIGN_OR_RETURN(const int count, OptionsFor(device));
  ASSIGN_OR_RETURN(const UniqueFd efivars, OpenVariables(device, ctx));
  ASSIGN_OR_RETURN(const EfiBootVariables variables, ReadEfiBootVariables(efivars.get()));
  ASSIGN_OR_RETURN(const EfiBootPlan plan, PlanEfiBootOptions(variables, *wanted, count));
  if (plan.added.empty() && plan.order == variables.order) return std::optional<std::string>();
  return std::optional(StrCat("the first ", count, " boot options are not all for it"));
}

}  // namespace

Status PrepareFirmware(const Device& device, OpContext& ctx) {
  ASSIGN_OR_RETURN(std::optional<EfiBootOption> wanted, Wanted(device));
  if (!wanted) return Ok();
  ASSIGN_OR_RETURN(const int count, OptionsFor(device));
  ASSIGN_OR_RETURN(const UniqueFd efivars, OpenVariables(device, ctx));
  ASSIGN_OR_RETURN(wanted->partition, FindEfiPartition(wanted->partition.guid));
  return EnsureEfiBootOptions(efivars.get(), *wanted, count, ctx);
}

std::optional<std::string> WhatFirmwareLacks(const Device& device, OpContext& ctx) {
  const auto missing = Missing(device, ctx);
  if (missing.ok() && !*missing) return std::nullopt;
  return StrCat("the firmware does not start the boot loader again when it gives up on a trial: ",
                missing.ok() ? **missing : missing.error().message());
}

}  // namespace hostapp
