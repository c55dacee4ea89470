// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/disk_loader.h"

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/descriptor.h"
#include "ostree-integration/deploy/loaders/grub_config.h"
#include "ostree-integration/deploy/loaders/grub_install.h"
#include "ostree-integration/deploy/loaders/systemd_boot_entry.h"
#include "ostree-integration/deploy/loaders/systemd_boot_install.h"
#include "ostree-integration/deploy/loaders/uboot_script.h"

namespace hostapp {
namespace {

constexpr const char* kTop = "";  // the boot partition's own root

std::string PartUuid(const HashValue& seed, const char* name) {
  return StrCat("PARTUUID=", PartitionId(seed, name).ToString());
}

const PlannedPartition* Find(const DiskPlan& plan, PartitionContent content) {
  const auto found = std::find_if(plan.partitions.begin(), plan.partitions.end(),
                                  [&](const PlannedPartition& planned) { return planned.content == content; });
  return found == plan.partitions.end() ? nullptr : &*found;
}

Status PutFile(int top, std::string_view path, std::string_view content, OpContext& ctx) {
  const size_t slash = path.rfind('/');
  const std::string_view folder = slash == std::string_view::npos ? "." : path.substr(0, slash);
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(top, folder, 0755, ctx.sys));
  return ReplaceFile(dir.get(), std::string(path.substr(slash + 1)), AsBytes(content), 0644, ctx.sys);
}

Status PrepareGrub(const Sysroot& sysroot, const HashValue& seed, OpContext& ctx) {
  const LoaderConfig config{
      .kind = LoaderKind::kGrub, .boot = PartUuid(seed, kBootPartition), .esp = PartUuid(seed, kEspPartition)};
  TRY(WriteLoaderConfig(sysroot, config, ctx));
  return PutFile(sysroot.boot(), "hostapp/grub/grub.cfg", GrubConfig(kTop), ctx);
}

Status PrepareSystemdBoot(const Sysroot& sysroot, const HashValue& seed, OpContext& ctx) {
  const std::string partition = PartUuid(seed, kEspPartition);
  TRY(WriteLoaderConfig(sysroot, {.kind = LoaderKind::kSystemdBoot, .boot = partition, .esp = partition}, ctx));
  ASSIGN_OR_RETURN(const SystemdBootProgram program, ReadSystemdBoot(HostPlatform().architecture, ctx));
  TRY(PutFile(sysroot.boot(), program.fallback_path, program.content, ctx));
  TRY(PutFile(sysroot.boot(), program.path, program.content, ctx));
  return PutFile(sysroot.boot(), "loader/loader.conf", SystemdBootConfig(), ctx);
}

Status PrepareUboot(const Sysroot& sysroot, const HashValue& seed, OpContext& ctx) {
  const UbootArch arch = HostPlatform().architecture == "arm64" ? UbootArch::kArm64 : UbootArch::kX86;
  TRY(WriteLoaderConfig(sysroot, {.kind = LoaderKind::kUboot, .boot = PartUuid(seed, kBootPartition), .esp = {}}, ctx));
  const std::string script = UbootScript({.arch = arch, .counting = UbootCounting::kState, .top = kTop});
  return PutFile(sysroot.boot(), "boot.scr", UbootScriptImage(script, arch), ctx);
}

}  // namespace

Result<DiskLayout> LayoutFor(LoaderKind loader, std::string_view architecture, uint64_t boot_bytes) {
  switch (loader) {
    case LoaderKind::kNone:
      return LayoutForNone(architecture);
    case LoaderKind::kGrub:
      return LayoutForGrub(architecture, boot_bytes);
    case LoaderKind::kSystemdBoot:
      return LayoutForSystemdBoot(architecture, boot_bytes);
    case LoaderKind::kUboot:
      return LayoutForUboot(architecture, boot_bytes);
  }
  return Error(Errc::kInternal, "no such boot loader");
}

Status CheckLoaderPrograms(LoaderKind loader, std::string_view architecture, OpContext& ctx) {
  if (loader != LoaderKind::kNone) TRY(CheckFatPrograms());
  if (loader == LoaderKind::kSystemdBoot) TRY(ReadSystemdBoot(architecture, ctx).status());
  return Ok();
}

uint64_t BootBytes(LoaderKind loader, const TreeSize& boot) {
  constexpr uint64_t kBootSets = 3;
  if (loader != LoaderKind::kGrub) return FatBytes(boot, kBootSets);
  return SmallestExt4(boot, (kBootSets - 1) * boot.blocks * kExt4BlockBytes + 8 * kMiB);
}

Status PrepareLoader(LoaderKind loader, const Sysroot& sysroot, const HashValue& seed, OpContext& ctx) {
  switch (loader) {
    case LoaderKind::kNone:
      return Ok();
    case LoaderKind::kGrub:
      return PrepareGrub(sysroot, seed, ctx);
    case LoaderKind::kSystemdBoot:
      return PrepareSystemdBoot(sysroot, seed, ctx);
    case LoaderKind::kUboot:
      return PrepareUboot(sysroot, seed, ctx);
  }
  return Ok();
}

std::vector<std::string> WithRoot(LoaderKind loader, std::vector<std::string> arguments, const HashValue& seed) {
  const bool named = std::any_of(arguments.begin(), arguments.end(),
                                 [](const std::string& argument) { return argument.starts_with("root="); });
  if (loader == LoaderKind::kNone || named) return arguments;
  arguments.insert(arguments.begin(), StrCat("root=", PartUuid(seed, kRootPartition)));
  return arguments;
}

Result<LoaderImages> MakeLoaderImages(LoaderKind loader, const DiskPlan& plan, OpContext& ctx) {
  LoaderImages images;
  if (loader != LoaderKind::kGrub) return images;
  const PlannedPartition* boot = Find(plan, PartitionContent::kBoot);
  const PlannedPartition* bios = Find(plan, PartitionContent::kBiosBoot);
  CHECK(boot != nullptr && bios != nullptr);
  const GrubPlace place{.uuid = boot->uuid.ToString(), .top = kTop};
  ASSIGN_OR_RETURN(GrubBios made, MakeGrubBios(place, bios->partition.offset / kSectorBytes, ctx));
  ASSIGN_OR_RETURN(std::string efi, MakeGrubEfi(place, ctx));
  images.boot_code = std::move(made.boot_code);
  images.bios_boot = std::move(made.core);
  images.esp.push_back({.path = kGrubEfiFallBackPath, .content = std::move(efi)});
  return images;
}

}  // namespace hostapp
