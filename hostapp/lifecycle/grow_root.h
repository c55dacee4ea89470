// SPDX-License-Identifier: Apache-2.0
// The root file system gets the whole disk: for a disk image that was written to a larger one.
//
// Steps, each of which looks first whether there is something left to do, so that the next boot goes on after a power
// cut: the second partition table at the disk's end; the first one, with the larger partition, in one write of 4 KiB;
// the kernel's idea of the partition (BLKPG); the file system, online, by its own journalled call. Our own, since
// systemd-repart would have to be in every image, and both tables' order with it.
#pragma once

#include <cstdint>
#include <string>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

struct GrowReport {
  bool changed = false;
  std::string reason;         // why nothing was changed
  std::string device;         // of the root file system; empty: it is on no block device
  uint64_t bytes_before = 0;  // of the file system, as statvfs() says
  uint64_t bytes = 0;
};

// Grows partition and file system of the physical root, an open folder: ext4, xfs, or btrfs on one device. The
// partition only where it is the last one of its disk and called kRootPartition; the file system only in such a
// partition. Never shrinks. Commit point of the table: its first 4 KiB. Errors: kCorrupt: the table is damaged; kIo;
// kInvalid: not root.
Result<GrowReport> GrowRoot(int root, OpContext& ctx);

}  // namespace hostapp
