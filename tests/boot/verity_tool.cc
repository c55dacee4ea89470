// SPDX-License-Identifier: Apache-2.0
// Seals a file with fs-verity, as composefs images are measured: SHA-256, blocks of 4096 bytes, no salt.
//   verity_tool FILE
#include <fcntl.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>

#include <cstdio>

int main(int argc, char** argv) {
  struct fsverity_enable_arg wanted = {};
  wanted.version = 1;
  wanted.hash_algorithm = FS_VERITY_HASH_ALG_SHA256;
  wanted.block_size = 4096;
  const int file = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
  if (file >= 0 && ioctl(file, FS_IOC_ENABLE_VERITY, &wanted) == 0) return 0;
  perror("verity_tool");
  return 1;
}
