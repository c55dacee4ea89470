// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/disk_loader.h"

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/grub_config.h"
#include "ostree-integration/deploy/loaders/grub_install.h"

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

}  // namespace

Result<DiskLayout> LayoutFor(LoaderKind loader, std::string_view architecture, uint64_t boot_bytes) {
  switch (loader) {
    case LoaderKind::kNone:
      return LayoutForNone(architecture);
    case LoaderKind::kGrub:
      return LayoutForGrub(architecture, boot_bytes);
    case LoaderKind::kSystemdBoot:
    case LoaderKind::kUboot:
      break;
  }
  return Error(Errc::kInvalid, StrCat("disks with ", LoaderName(loader), " are not in this version"));
}

Status PrepareLoader(LoaderKind loader, const Sysroot& sysroot, const HashValue& seed, OpContext& ctx) {
  if (loader != LoaderKind::kGrub) return Ok();
  const LoaderConfig config{
      .kind = loader, .boot = PartUuid(seed, kBootPartition), .esp = PartUuid(seed, kEspPartition)};
  TRY(WriteLoaderConfig(sysroot, config, ctx));
  ASSIGN_OR_RETURN(const UniqueFd grub, MakeDirs(sysroot.boot(), "hostapp/grub", 0755, ctx.sys));
  return ReplaceFile(grub.get(), "grub.cfg", AsBytes(GrubConfig(kTop)), 0644, ctx.sys);
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
  images.esp.push_back({.path = "EFI/BOOT/BOOTX64.EFI", .content = std::move(efi)});
  return images;
}

}  // namespace hostapp
