// SPDX-License-Identifier: Apache-2.0
// The fs-verity digest of a file that is about to be mounted: version 1, SHA-256, blocks of 4096 bytes, no salt, as the
// kernel measures it (Linux, Documentation/filesystems/fsverity.rst), whether the file system keeps it or not.
#pragma once

#include "initramfs/bootsel/digest.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

// That the open file's content has this digest. Where the file system knows it (the kernel then refuses every block
// that does not fit), nothing is read; otherwise the file is read once, and what the disk says later is believed.
// `name` is for the problem: a file that cannot be read has not got the digest.
bool CheckFsVerity(int file, const bootsel::Digest& wanted, std::string_view name, Problem& why);

// Whether the file system keeps the digest, and the kernel compares every block that it reads.
bool HasFsVerity(int file);

// By reading; false with errno.
bool ComputeFsVerity(int file, bootsel::Digest& digest);

}  // namespace hostapp::initramfs
