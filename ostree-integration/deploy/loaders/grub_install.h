// SPDX-License-Identifier: Apache-2.0
// What a disk needs besides files to start GRUB, made from Debian's packages: without root, without devices, the same
// bytes for the same input. Who makes the disk puts them in their places; the boot file system gets grub.cfg
// (grub_config.h) under hostapp/grub/.
#pragma once

#include <cstdint>
#include <string>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

// How GRUB finds its grub.cfg: <top>/hostapp/grub/grub.cfg on the file system with this UUID.
struct GrubPlace {
  std::string uuid;  // as blkid(8) prints it: "5d3a1f0e-…" of ext4, "1A2B-3C4D" of FAT
  std::string top;   // "" for a boot partition, "/boot" for a folder of the root file system

  // Of grub-pc-bin and grub-efi-amd64-bin.
  std::string modules = "/usr/lib/grub";
};

inline constexpr size_t kGrubBootCodeBytes = 440;

// For a PC with BIOS.
struct GrubBios {
  std::string boot_code;  // 440 bytes for the start of sector 0, before the partition table
  std::string core;       // whole sectors of 512 bytes, under 1 MiB, for the start of the BIOS boot partition
};

// `sector`: where the BIOS boot partition starts, in sectors of 512 bytes. kInvalid for a UUID, a top or a sector that
// GRUB cannot be given; kNotFound, with the package, when grub-mkimage or its modules are not installed; kIo.
Result<GrubBios> MakeGrubBios(const GrubPlace& place, uint64_t sector, OpContext& ctx);

// On the EFI system partition: what firmware starts that was told nothing, and what a boot option of ours names after
// an update.
inline constexpr const char* kGrubEfiFallBackPath = "EFI/BOOT/BOOTX64.EFI";
inline constexpr const char* kGrubEfiPath = "EFI/hostapp/grubx64.efi";

// For a 64-bit PC with UEFI. It is not signed. Errors as above.
Result<std::string> MakeGrubEfi(const GrubPlace& place, OpContext& ctx);

}  // namespace hostapp
