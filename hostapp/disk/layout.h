// SPDX-License-Identifier: Apache-2.0
// What partitions a disk gets: decided from a loader's wishes and what has to fit. Pure; who writes it takes the plan.
//
// A loader says by a DiskLayout what it needs besides the root partition: LayoutForNone() is the one for a kernel that
// is given from outside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/result.h"
#include "hostapp/disk/gpt.h"
#include "hostapp/disk/tree_size.h"

namespace hostapp {

enum class FileSystem { kExt4, kFat, kNone };

// What is in a partition: the sysroot, the folder that holds the boot sets, or the loader's own files or bytes. With
// systemd-boot the EFI system partition is a kBoot: it holds the boot sets and the loader.
enum class PartitionContent { kRoot, kBoot, kEsp, kBiosBoot };

inline constexpr const char* kRootPartition = "hostapp-root";
inline constexpr const char* kBootPartition = "hostapp-boot";
inline constexpr const char* kEspPartition = "hostapp-esp";
inline constexpr const char* kBiosBootPartition = "hostapp-bios";

// The label of a FAT file system in a partition of that name: capitals, 11 at most.
const char* FatLabel(std::string_view partition_name);

// A partition before the root's.
struct PartitionWish {
  std::string name;  // also the file system's label
  Uuid type;
  FileSystem file_system = FileSystem::kExt4;
  PartitionContent content = PartitionContent::kBoot;
  uint64_t bytes = 0;  // whole MiB
  uint64_t attributes = 0;
};

struct DiskLayout {
  Uuid root_type;
  uint64_t first_offset = kMiB;  // of the first partition: where every program that partitions begins
  std::vector<PartitionWish> before_root;

  // Otherwise /boot is a folder of the root file system.
  bool HasBootPartition() const;
};

// The Discoverable Partitions Specification's type for the root file system of a machine ("amd64", "arm64", …, as OCI
// names them). kInvalid, by name, for one that it has none for.
Result<Uuid> RootPartitionType(std::string_view architecture);

// One root partition.
Result<DiskLayout> LayoutForNone(std::string_view architecture);

// GRUB for BIOS and UEFI on one disk: its core image, the EFI system partition, and a boot partition of `boot_bytes`
// (whole MiB). kInvalid for an architecture that our GRUB images are not made for.
Result<DiskLayout> LayoutForGrub(std::string_view architecture, uint64_t boot_bytes);

// systemd-boot: an EFI system partition of `boot_bytes`, which is the boot file system too. kInvalid for an
// architecture that Debian has no systemd-boot for.
Result<DiskLayout> LayoutForSystemdBoot(std::string_view architecture, uint64_t boot_bytes);

// U-Boot, which the board brings: a FAT boot partition of `boot_bytes`, marked as the one to boot from, after 16 MiB
// that stay free for boards that keep U-Boot at the start of the disk. kInvalid for an architecture that our boot
// script is not made for.
Result<DiskLayout> LayoutForUboot(std::string_view architecture, uint64_t boot_bytes);

// The identities of a partition and of its file system, known before the disk is planned.
Uuid PartitionId(const HashValue& seed, std::string_view name);
Uuid FileSystemId(const HashValue& seed, std::string_view name);

struct PlannedPartition {
  GptPartition partition;
  FileSystem file_system = FileSystem::kExt4;
  PartitionContent content = PartitionContent::kRoot;
  Uuid uuid;       // of the file system
  Uuid hash_seed;  // of its folders
};

struct DiskPlan {
  uint64_t bytes = 0;
  Uuid id;
  std::vector<PlannedPartition> partitions;  // by offset, the root's last
};

// `root`: what the root file system is to hold. Without `bytes` the disk has room for as much again and 256 MiB, for
// the release after this one. Every identity follows from `seed`. kNoSpace, with both numbers, when `bytes` is too few;
// kInvalid when it is no whole sectors.
Result<DiskPlan> PlanDisk(const DiskLayout& layout, const TreeSize& root, std::optional<uint64_t> bytes,
                          const HashValue& seed);

}  // namespace hostapp
