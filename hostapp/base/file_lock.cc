// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/file_lock.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>

namespace hostapp {

Result<FileLock> FileLock::Acquire(int dir, std::string_view name, Wait wait, const CancellationToken& cancel,
                                   Syscalls& sys) {
  UniqueFd fd(sys.OpenAt(dir, std::string(name).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!fd.valid()) return SysError(-fd.get(), StrCat("opening the lock ", name));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  // Waiting by F_OFD_SETLKW could not be cancelled without a signal; a lock that is held is held for long.
  while (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES && errno != EINTR) return SysError(errno, StrCat("taking the lock ", name));
    if (wait == Wait::kNo) {
      return Error(Errc::kBusy,
                   StrCat("taking the lock ", name, ": another process has it; try again when it is done"));
    }
    TRY(cancel.Check());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return FileLock(std::move(fd));
}

}  // namespace hostapp
