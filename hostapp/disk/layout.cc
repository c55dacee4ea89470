// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/layout.h"

#include <algorithm>
#include <array>

#include "hostapp/base/check.h"

namespace hostapp {
namespace {

constexpr uint64_t kLeastRoom = 256 * kMiB;
constexpr uint64_t kBiosBootBytes = kMiB;
constexpr uint64_t kEspBytes = 64 * kMiB;
constexpr uint64_t kUbootRoom = 16 * kMiB;
constexpr const char* kBiosBootType = "21686148-6449-6e6f-744e-656564454649";
constexpr const char* kEspType = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b";
constexpr const char* kXbootldrType = "bc13c2ff-59e6-4262-a352-b275fd6f7172";

Uuid Known(const char* text) {
  const std::optional<Uuid> uuid = ParseUuid(text);
  CHECK(uuid.has_value());
  return *uuid;
}

struct RootType {
  std::string_view architecture;
  std::string_view uuid;
};
// https://uapi-group.org/specifications/specs/discoverable_partitions_specification/
constexpr std::array<RootType, 9> kRootTypes = {{
    {"386", "44479540-f297-41b2-9af7-d131d5f0458a"},
    {"amd64", "4f68bce3-e8cd-4db1-96e7-fbcaf984b709"},
    {"arm", "69dad710-2ce4-4e3c-b16c-21a1d49abed3"},
    {"arm64", "b921b045-1df0-41c3-af44-4c6f280d3fae"},
    {"loong64", "77055800-792c-4f94-b39a-98c91b762bb6"},
    {"ppc64", "912ade1d-a839-4913-8964-a10eee08fbd2"},
    {"ppc64le", "c31c45e6-3f39-412e-80fb-4809c4980599"},
    {"riscv64", "72ec70a6-cf74-40e6-bd49-4bda08e8f224"},
    {"s390x", "5eead9a9-fe09-4a1e-a1d7-520d00531306"},
}};

PlannedPartition Plan(const PartitionWish& wish, uint64_t offset, uint64_t bytes, const HashValue& seed) {
  return {.partition = {.type = wish.type,
                        .id = PartitionId(seed, wish.name),
                        .name = wish.name,
                        .offset = offset,
                        .bytes = bytes,
                        .attributes = wish.attributes},
          .file_system = wish.file_system,
          .content = wish.content,
          .uuid = FileSystemId(seed, wish.name),
          .hash_seed = DeriveUuid(seed, StrCat("hash seed ", wish.name))};
}

}  // namespace

const char* FatLabel(std::string_view partition_name) {
  return partition_name == kEspPartition ? "HOSTAPP-ESP" : "HOSTAPPBOOT";
}

bool DiskLayout::HasBootPartition() const {
  return std::any_of(before_root.begin(), before_root.end(),
                     [](const PartitionWish& wish) { return wish.content == PartitionContent::kBoot; });
}

Result<Uuid> RootPartitionType(std::string_view architecture) {
  for (const RootType& type : kRootTypes) {
    if (type.architecture != architecture) continue;
    return Known(std::string(type.uuid).c_str());
  }
  return Error(Errc::kInvalid, StrCat("no type of partition is known for the root file system of the architecture ",
                                      Escape(architecture)));
}

Result<DiskLayout> LayoutForNone(std::string_view architecture) {
  DiskLayout layout;
  ASSIGN_OR_RETURN(layout.root_type, RootPartitionType(architecture));
  return layout;
}

Result<DiskLayout> LayoutForGrub(std::string_view architecture, uint64_t boot_bytes) {
  if (architecture != "amd64") {
    return Error(Errc::kInvalid, StrCat("disks with GRUB are made for amd64, not for ", Escape(architecture)));
  }
  DiskLayout layout;
  ASSIGN_OR_RETURN(layout.root_type, RootPartitionType(architecture));
  layout.before_root = {{.name = kBiosBootPartition,
                         .type = Known(kBiosBootType),
                         .file_system = FileSystem::kNone,
                         .content = PartitionContent::kBiosBoot,
                         .bytes = kBiosBootBytes},
                        {.name = kEspPartition,
                         .type = Known(kEspType),
                         .file_system = FileSystem::kFat,
                         .content = PartitionContent::kEsp,
                         .bytes = kEspBytes},
                        {.name = kBootPartition,
                         .type = Known(kXbootldrType),
                         .file_system = FileSystem::kExt4,
                         .content = PartitionContent::kBoot,
                         .bytes = boot_bytes}};
  return layout;
}

Result<DiskLayout> LayoutForSystemdBoot(std::string_view architecture, uint64_t boot_bytes) {
  if (architecture != "amd64" && architecture != "arm64") {
    return Error(Errc::kInvalid,
                 StrCat("disks with systemd-boot are made for amd64 and arm64, not for ", Escape(architecture)));
  }
  DiskLayout layout;
  ASSIGN_OR_RETURN(layout.root_type, RootPartitionType(architecture));
  layout.before_root = {{.name = kEspPartition,
                         .type = Known(kEspType),
                         .file_system = FileSystem::kFat,
                         .content = PartitionContent::kBoot,
                         .bytes = boot_bytes}};
  return layout;
}

Result<DiskLayout> LayoutForUboot(std::string_view architecture, uint64_t boot_bytes) {
  if (architecture != "amd64" && architecture != "arm64") {
    return Error(Errc::kInvalid,
                 StrCat("disks with U-Boot are made for amd64 and arm64, not for ", Escape(architecture)));
  }
  DiskLayout layout{.first_offset = kUbootRoom};
  ASSIGN_OR_RETURN(layout.root_type, RootPartitionType(architecture));
  layout.before_root = {{.name = kBootPartition,
                         .type = Known(kXbootldrType),
                         .file_system = FileSystem::kFat,
                         .content = PartitionContent::kBoot,
                         .bytes = boot_bytes,
                         .attributes = kGptBootable}};
  return layout;
}

Uuid PartitionId(const HashValue& seed, std::string_view name) { return DeriveUuid(seed, StrCat("partition ", name)); }
Uuid FileSystemId(const HashValue& seed, std::string_view name) {
  return DeriveUuid(seed, StrCat("file system ", name));
}

Result<DiskPlan> PlanDisk(const DiskLayout& layout, const TreeSize& root, std::optional<uint64_t> bytes,
                          const HashValue& seed) {
  if (bytes && *bytes % kSectorBytes != 0) {
    return Error(Errc::kInvalid, StrCat("a disk of ", *bytes, " bytes is no whole sectors of ", kSectorBytes));
  }
  DiskPlan plan{.id = DeriveUuid(seed, "disk")};
  uint64_t offset = layout.first_offset;
  for (const PartitionWish& wish : layout.before_root) {
    plan.partitions.push_back(Plan(wish, offset, wish.bytes, seed));
    offset += wish.bytes;
  }
  // The last MiB is the second table's.
  const uint64_t least = offset + SmallestExt4(root, 0) + kMiB;
  if (bytes && *bytes < least) {
    return Error(Errc::kNoSpace,
                 StrCat("a disk of ", *bytes, " bytes (", HumanBytes(*bytes), ") is too small: the image needs ", least,
                        " (", HumanBytes(least), "), more to be updated"));
  }
  const uint64_t content = root.blocks * kExt4BlockBytes;
  plan.bytes = bytes.value_or(offset + SmallestExt4(root, content + kLeastRoom) + kMiB);
  const uint64_t root_bytes = (plan.bytes - kMiB) / kMiB * kMiB - offset;
  const PartitionWish wish{.name = kRootPartition, .type = layout.root_type, .content = PartitionContent::kRoot};
  plan.partitions.push_back(Plan(wish, offset, root_bytes, seed));
  return plan;
}

}  // namespace hostapp
