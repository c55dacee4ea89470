// SPDX-License-Identifier: Apache-2.0
// A whole disk in a file, with an image deployed on it: without root, without loop devices, and bit for bit the same
// for the same image and options.
//
// The sysroot on it is made as a device makes its own (InitSysroot(), DeployImage()), in a folder beside the file, by
// system calls that record what only root may do and with the image's own time as the clock; then it is written into a
// file system. So a disk has what a device would have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "hostapp/disk/layout.h"
#include "hostapp/lifecycle/device_settings.h"
#include "hostapp/lifecycle/pull_image.h"
#include "hostapp/oci/reference.h"
#include "ostree-integration/deploy/choose_root.h"
#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

struct DiskOptions {
  std::string file;
  std::optional<uint64_t> bytes;  // of the disk; nothing: as PlanDisk() says
  LoaderKind loader = LoaderKind::kNone;
  std::vector<std::string> kernel_arguments;  // after the image's own
  std::optional<RootKind> root;               // as of DeployOptions
  DeviceSettings settings;
};

struct DiskReport {
  Digest manifest_digest;
  DeploymentSerial serial = 0;
  RootChoice root;
  LoaderKind loader = LoaderKind::kNone;
  DiskPlan plan;
  uint64_t allocated_bytes = 0;  // that the file takes on its own disk
};

// Makes `options.file`. It appears, or replaces an ordinary file of that name, when it is complete and durable: the
// commit point is its rename. Until then everything is in ".<name>.hostapp-disk" beside it, which is gone at the end
// however that comes; what a crash leaves of it, the next run for the same file removes.
//
// Errors: kInvalid: a block device, a folder or a link of that name, a bad argument; kBusy: another process is making
// the file; kNoSpace: `bytes` are too few, refused before anything of the disk is written, or the disk below is full;
// kNotFound: e2fsprogs is missing; what the source and DeployImage() return.
Result<DiskReport> MakeDisk(const Reference& reference, ImageSource& source, const DiskOptions& options,
                            OpContext& ctx);

}  // namespace hostapp
