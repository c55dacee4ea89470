// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/ledger_file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace hostapp::initramfs {
namespace {

using bootsel::kLedgerFileBytes;
using bootsel::kSlotBytes;

// Gives a file its full size, so that later writes only overwrite; what it has stays. Best effort: no copy-on-write
// where the file system would do it.
bool Preallocate(int fd) {
  struct stat info = {};
  if (fstat(fd, &info) != 0) return false;
  int flags = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
    flags |= FS_NOCOW_FL;
    ioctl(fd, FS_IOC_SETFLAGS, &flags);
  }
  const std::array<std::byte, kLedgerFileBytes> zeroes{};
  return PwriteAll(fd, std::span(zeroes).subspan(static_cast<size_t>(info.st_size)), info.st_size) && fsync(fd) == 0;
}

Fd OpenForWriting(int root) {
  Fd fd = OpenAt(root, kLedgerPath, O_RDWR);
  struct stat info = {};
  if (fd.ok() && fstat(fd.get(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size >= off_t{kLedgerFileBytes}) {
    return fd;
  }
  if (fd.ok() && !S_ISREG(info.st_mode)) {
    errno = EINVAL;
    return Fd();
  }
  if (!fd.ok() && errno != ENOENT) return fd;
  if (!fd.ok()) fd = Fd(openat(root, kLedgerPath, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.ok() || !Preallocate(fd.get())) return Fd();
  const Fd folder = OpenDirectory(root, "hostapp");
  if (!folder.ok() || fsync(folder.get()) != 0) return Fd();
  return fd;
}

}  // namespace

void LedgerStore::Load() {
  std::array<std::byte, kLedgerFileBytes> buffer{};
  size_t size = 0;
  const Fd fd = OpenRegular(root_, kLedgerPath);
  // Each slot by itself: a block that cannot be read costs one.
  for (size_t at = 0; fd.ok() && at < kLedgerFileBytes; at += kSlotBytes) {
    const std::span<std::byte> slot = std::span(buffer).subspan(at, kSlotBytes);
    const ssize_t got = PreadAll(fd.get(), slot, static_cast<off_t>(at));
    if (got < 0) std::fill(slot.begin(), slot.end(), bootsel::kUnreadable);
    size = at + (got < 0 ? kSlotBytes : static_cast<size_t>(got));
    if (size < at + kSlotBytes) break;
  }
  bootsel::ReadLedgerFile(std::span(buffer).first(size), file_);
  lost_ = file_.pick.newest < 0;
}

bool LedgerStore::Store(const bootsel::Ledger& next, Problem& why) {
  const int slot = file_.pick.overwrite;
  if (!WriteSlot(slot, next, why)) return false;
  file_.ledger = next;
  file_.slots[static_cast<size_t>(slot)] = bootsel::SlotState::kValid;
  file_.pick = {.newest = slot, .overwrite = 1 - slot};
  lost_ = false;
  return true;
}

// The commit point of a boot: everything before it may be repeated, everything after it counts on it.
bool LedgerStore::WriteSlot(int slot, const bootsel::Ledger& next, Problem& why) {
  std::array<std::byte, kSlotBytes> bytes;
  bootsel::Encode(next, bytes);
  const Fd fd = OpenForWriting(root_);
  if (!fd.ok()) return why.IsErrno(errno, "opening ", kLedgerPath, " for writing");
  if (!PwriteAll(fd.get(), bytes, off_t{kSlotBytes} * slot)) return why.IsErrno(errno, "writing ", kLedgerPath);
  if (fdatasync(fd.get()) != 0) return why.IsErrno(errno, "syncing ", kLedgerPath);
  return true;
}

}  // namespace hostapp::initramfs
