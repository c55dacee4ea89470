// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/enable_verity.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <sys/ioctl.h>

#include <cerrno>

#include "hostapp/base/durable.h"

namespace hostapp {

int EnableVerity(int dir, const char* name, Syscalls& sys) {
  const UniqueFd file(sys.OpenAt(dir, name, O_RDONLY | O_NOFOLLOW, 0));
  if (!file.valid()) return file.get();
  fsverity_enable_arg argument{};
  argument.version = 1;
  argument.hash_algorithm = FS_VERITY_HASH_ALG_SHA256;
  argument.block_size = 4096;
  return sys.Ioctl(file.get(), FS_IOC_ENABLE_VERITY, &argument);
}

// Needs a file with a name: the kernel takes it for one that stays.
int TryVerity(int dir, Syscalls& sys) {
  constexpr const char* kName = "features-fs-verity";
  constexpr char kContent[] = "fs-verity";
  (void)RemoveFile(dir, kName, sys);  // of a run that was killed
  {
    const UniqueFd file(sys.OpenAt(dir, kName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (!file.valid()) return file.get();
    const ssize_t written = sys.Write(file.get(), kContent, sizeof kContent);
    if (written < 0) return static_cast<int>(written);
  }
  const int result = EnableVerity(dir, kName, sys);
  (void)RemoveFile(dir, kName, sys);
  return result;
}

bool HasVerity(int file) {
  unsigned int flags = 0;
  return ::ioctl(file, FS_IOC_GETFLAGS, &flags) == 0 && (flags & FS_VERITY_FL) != 0;
}

}  // namespace hostapp
