// SPDX-License-Identifier: Apache-2.0
// Finds and mounts the physical root, for the initramfs that has no udev: `root=` as a device, UUID=, LABEL=, PARTUUID=
// or PARTLABEL=.
#pragma once

#include <string_view>

#include "initramfs/helper/console.h"
#include "initramfs/rootfs/problem.h"
#include "initramfs/rootfs/text.h"

namespace hostapp::initramfs {

enum class RootBy : uint8_t { kDevice, kUuid, kLabel, kPartUuid, kPartLabel, kNothing };

struct RootWish {
  RootBy by = RootBy::kNothing;
  std::string_view value;
};

// `/dev/disk/by-uuid/X` and its like mean UUID=X: the links are udev's and not there yet.
RootWish ParseRoot(std::string_view root);

struct RootDevice {
  Path device;      // /dev/…
  Text<16> fstype;  // as the superblock says; empty if it says nothing
};

// Looks once; false if it is not there (yet), with the reason.
bool FindRoot(const RootWish& wish, RootDevice& found, Problem& why);

// Looks until it is there, at most `rootdelay=` seconds (10 if not given).
bool WaitForRoot(std::string_view cmdline, RootDevice& found, Problem& why);

// Checks it (e2fsck, where the initramfs has it and the file system is ext4) and mounts it at `target`, writable if
// that is possible. `rootfstype=` and `rootflags=` are respected; `ro` is not: the ledger has to be written.
bool MountRoot(std::string_view cmdline, const RootDevice& device, const char* target, Console& console, Problem& why);

}  // namespace hostapp::initramfs
