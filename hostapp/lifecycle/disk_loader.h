// SPDX-License-Identifier: Apache-2.0
// What a disk image gets for its boot loader: partitions, files on the sysroot, and the loader's own bytes.
#pragma once

#include "hostapp/disk/fat_writer.h"
#include "hostapp/disk/layout.h"
#include "ostree-integration/sysroot/open_loader.h"

namespace hostapp {

// `boot_bytes`: of the boot partition, for loaders that have one. kInvalid, by name, for what cannot be made yet.
Result<DiskLayout> LayoutFor(LoaderKind loader, std::string_view architecture, uint64_t boot_bytes);

// kNotFound, with the package, when something that such a disk is made with is not installed.
Status CheckLoaderPrograms(LoaderKind loader, std::string_view architecture, OpContext& ctx);

// Of a boot partition for three boot sets: the running one, the one before, and the one on trial. `boot`: of one, with
// what the loader has beside it.
uint64_t BootBytes(LoaderKind loader, const TreeSize& boot);

// On an empty sysroot, before the image is deployed on it: which loader it has, and the loader's configuration;
// where the loader itself is on the boot file system, that too.
Status PrepareLoader(LoaderKind loader, const Sysroot& sysroot, const HashValue& seed, OpContext& ctx);

// `arguments` with the root file system's partition, where a loader starts the kernel and they do not name one.
std::vector<std::string> WithRoot(LoaderKind loader, std::vector<std::string> arguments, const HashValue& seed);

struct LoaderImages {
  std::string boot_code;     // for the start of the disk, before the partition table
  std::string bios_boot;     // for the BIOS boot partition
  std::vector<FatFile> esp;  // for the EFI system partition
};
// kNotFound, with the package, when a program that makes them is not installed.
Result<LoaderImages> MakeLoaderImages(LoaderKind loader, const DiskPlan& plan, OpContext& ctx);

}  // namespace hostapp
