// SPDX-License-Identifier: Apache-2.0
// A real disk becomes a device's: partitions, file systems, the boot loader, and an image deployed on it.
//
// The partition table is written last, so a run that does not come to its end leaves a disk on which nothing is found.
// Until then the parts are loop devices on the disk, which is held all the time, and their file systems are mounted
// where nobody sees them: a killed run leaves nothing behind either.
#pragma once

#include <string>
#include <vector>

#include "hostapp/disk/layout.h"
#include "hostapp/disk/make_filesystem.h"
#include "hostapp/lifecycle/device_settings.h"
#include "hostapp/oci/blob.h"
#include "hostapp/oci/reference.h"
#include "ostree-integration/deploy/choose_root.h"
#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

struct InstallOptions {
  std::string disk;
  enum class Erase { kOnlyEmpty, kWhatIsThere } erase = Erase::kOnlyEmpty;
  LoaderKind loader = LoaderKind::kGrub;
  DiskFileSystem file_system = DiskFileSystem::kExt4;  // of the root
  std::vector<std::string> kernel_arguments;           // after the image's own
  std::optional<RootKind> root;                        // as of DeployOptions
  DeviceSettings settings;
};

struct InstallReport {
  Digest manifest_digest;
  DeploymentSerial serial = 0;
  RootChoice root;
  LoaderKind loader = LoaderKind::kNone;
  DiskFileSystem file_system = DiskFileSystem::kExt4;
  DiskPlan plan;
};

// Of the boot partition, before the image's boot set is known: an eighth of the disk, from 128 MiB to 1 GiB. (Debian's
// generic kernel and its initramfs are about 50 to 120 MiB, and there are up to three.)
uint64_t BootPartitionBytes(uint64_t disk_bytes);

// Identities are made by chance: no two installed disks have the same. A warning when three boot sets of this image
// will not fit on the boot partition. Commit point: the first partition table.
//
// Refused before anything is written. kInvalid: what WholeDisk::Open() refuses, a disk that is not empty without
// kWhatIsThere, a bad argument; kBusy: it is in use; kNoSpace: it is too small, with both numbers; kNotFound: a program
// that is needed is not installed; what the source returns. Then: what DeployImage() returns; kIo; kCancelled.
Result<InstallReport> InstallDisk(const Reference& reference, ImageSource& source, const InstallOptions& options,
                                  OpContext& ctx);

}  // namespace hostapp
