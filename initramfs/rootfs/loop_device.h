// SPDX-License-Identifier: Apache-2.0
// A file as a block device.
#pragma once

#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

// It is free again when neither this descriptor nor a mount uses it any more.
struct LoopDevice {
  Fd fd;
  Text<32> path;
};

// Puts the open file behind a free loop device, read-only. `name` is what losetup shows.
bool AttachLoop(int file, std::string_view name, LoopDevice& device, Problem& why);

}  // namespace hostapp::initramfs
