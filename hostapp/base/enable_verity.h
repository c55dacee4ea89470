// SPDX-License-Identifier: Apache-2.0
// fs-verity (Linux, Documentation/filesystems/fsverity.rst): the file system keeps the digests of a file's blocks, and
// the kernel compares each block that it reads. SHA-256, blocks of 4096 bytes, no salt: composefs's kind.
#pragma once

#include "hostapp/base/syscalls.h"

namespace hostapp {

// Enables it on the file `name`, which nobody has open for writing: from then on it can be removed and not changed.
// Durable after the next sync of the file system; a crash before leaves the file as it was.
// 0, or -errno: -EOPNOTSUPP or -ENOTTY where the file system cannot.
int EnableVerity(int dir, const char* name, Syscalls& sys);

// Whether the file system of the folder can: tried with a file of its own, which is removed. 0 or -errno, as above.
int TryVerity(int dir, Syscalls& sys);

// Whether the open file has it.
bool HasVerity(int file);

}  // namespace hostapp
