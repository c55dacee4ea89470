// SPDX-License-Identifier: Apache-2.0
// Where a partition is, as the kernel says it and firmware wants it.
#pragma once

#include "ostree-integration/deploy/loaders/efi_boot_options.h"

namespace hostapp {

// `sysfs`: the open folder of a partition, as /sys/dev/block/<major>:<minor>; the disk's is above it. The kernel counts
// sectors of 512 bytes, firmware those of the disk. kNotFound for what is no partition; kCorrupt for what is no number.
Result<EfiPartition> ReadEfiPartition(int sysfs, std::string_view guid);

// The partition with this PARTUUID. kNotFound.
Result<EfiPartition> FindEfiPartition(const std::string& guid);

}  // namespace hostapp
