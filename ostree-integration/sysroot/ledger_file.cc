// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/ledger_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

using SlotBytes = std::array<std::byte, bootsel::kSlotBytes>;

ssize_t PreadAll(int fd, MutableByteSpan buffer, uint64_t offset) {
  size_t filled = 0;
  while (filled < buffer.size()) {
    const ssize_t got =
        ::pread(fd, buffer.data() + filled, buffer.size() - filled, static_cast<off_t>(offset + filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return -1;
    if (got == 0) break;
    filled += static_cast<size_t>(got);
  }
  return static_cast<ssize_t>(filled);
}

// How much of it there is: less than it has room for at the end of the file. A block that cannot be read makes the slot
// a damaged one.
Result<size_t> ReadSlot(int fd, size_t slot, MutableByteSpan bytes) {
  const ssize_t got = PreadAll(fd, bytes, slot * bootsel::kSlotBytes);
  if (got >= 0) return static_cast<size_t>(got);
  constexpr std::array kBadBlock = {EIO, EUCLEAN, EBADMSG};
  if (std::find(kBadBlock.begin(), kBadBlock.end(), errno) == kBadBlock.end()) return SysError(errno, "reading it");
  std::fill(bytes.begin(), bytes.end(), bootsel::kUnreadable);
  return bytes.size();
}

Result<bootsel::LedgerFile> ReadSlots(const Sysroot& sysroot) {
  bootsel::LedgerFile file;
  if (!Exists(sysroot.hostapp(), kLedgerName)) {
    return Error(
        Errc::kNotFound,
        "there is none; a sysroot that is not complete is completed by: hostapp init, a lost one made again by: "
        "hostapp reconcile");
  }
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenRegular(sysroot.hostapp(), kLedgerName));
  // What some accident made longer is not looked at.
  std::array<std::byte, bootsel::kLedgerFileBytes> bytes{};
  size_t size = 0;
  for (size_t slot = 0; slot < bootsel::kSlotCount && size == slot * bootsel::kSlotBytes; ++slot) {
    ASSIGN_OR_RETURN(const size_t got,
                     ReadSlot(fd.get(), slot, MutableByteSpan(bytes).subspan(size, bootsel::kSlotBytes)));
    size += got;
  }
  bootsel::ReadLedgerFile(ByteSpan(bytes).first(size), file);
  return file;
}

Error Lost(const bootsel::LedgerFile& file) {
  return Error(Errc::kCorrupt,
               StrCat("reading the boot ledger: both slots are lost (", SlotStateName(file.slots[0]), ", ",
                      SlotStateName(file.slots[1]),
                      "); restart, or run: hostapp reconcile, to make it again from proven deployments"));
}

Status WriteSlot(const Sysroot& sysroot, int slot, const bootsel::Ledger& ledger, OpContext& ctx) {
  SlotBytes bytes{};
  bootsel::Encode(ledger, bytes);
  const UniqueFd fd(ctx.sys.OpenAt(sysroot.hostapp(), kLedgerName, O_RDWR | O_NOFOLLOW, 0));
  if (!fd.valid()) return SysError(-fd.get(), "opening the boot ledger");
  const uint64_t offset = static_cast<uint64_t>(slot) * bootsel::kSlotBytes;
  Status written = OverwriteInPlace(fd.get(), offset, bytes, ctx.sys);
  // What was not synced must not be believed: read from the cache it would be the newest record, and the next write
  // would go over the other one, the only one that is on disk.
  if (!written.ok()) ::posix_fadvise(fd.get(), static_cast<off_t>(offset), bytes.size(), POSIX_FADV_DONTNEED);
  return std::move(written).While("writing the boot ledger");
}

Status WriteWholeFile(const Sysroot& sysroot, const bootsel::Ledger& ledger, OpContext& ctx) {
  std::string bytes;
  SlotBytes slot{};
  bootsel::Encode(ledger, slot);
  for (size_t i = 0; i < bootsel::kSlotCount; ++i) bytes += AsText(slot);
  return ReplaceFile(sysroot.hostapp(), kLedgerName, AsBytes(bytes), 0644, ctx.sys).While("making the boot ledger");
}

}  // namespace

Status CreateLedger(const Sysroot& sysroot, OpContext& ctx) {
  // It may be there since a moment ago, by a run that was interrupted before its name was durable.
  if (Exists(sysroot.hostapp(), kLedgerName)) return SyncDir(sysroot.hostapp(), ctx.sys);
  bootsel::Ledger first;
  first.generation = 1;
  return WriteWholeFile(sysroot, first, ctx);
}

Result<StoredLedger> ReadLedger(const Sysroot& sysroot) {
  ASSIGN_OR_RETURN(const bootsel::LedgerFile file, ReadSlots(sysroot).While("reading the boot ledger"));
  if (file.pick.newest < 0) return Lost(file);
  const auto damaged = std::count_if(file.slots.begin(), file.slots.end(),
                                     [](bootsel::SlotState state) { return state != bootsel::SlotState::kValid; });
  return StoredLedger{.ledger = file.ledger, .damaged_slots = static_cast<int>(damaged)};
}

Status ChangeLedger(const LedgerLock& /*lock*/, const Sysroot& sysroot, OpContext& ctx,
                    const std::function<Status(bootsel::Ledger&)>& change) {
  ASSIGN_OR_RETURN(const bootsel::LedgerFile file, ReadSlots(sysroot).While("reading the boot ledger"));
  if (file.pick.newest < 0) return Lost(file);
  bootsel::Ledger ledger = file.ledger;
  TRY(change(ledger));
  if (ledger == file.ledger) return Ok();
  ledger.generation = file.ledger.generation + 1;
  return WriteSlot(sysroot, file.pick.overwrite, ledger, ctx);
}

Status RewriteLedger(const LedgerLock& /*lock*/, const Sysroot& sysroot, OpContext& ctx) {
  ASSIGN_OR_RETURN(const bootsel::LedgerFile file, ReadSlots(sysroot).While("reading the boot ledger"));
  if (file.pick.newest < 0) return Lost(file);
  bootsel::Ledger ledger = file.ledger;
  ledger.generation += 1;
  return WriteSlot(sysroot, file.pick.overwrite, ledger, ctx);
}

Status RemakeLedger(const LedgerLock& /*lock*/, const Sysroot& sysroot, const bootsel::Ledger& ledger, OpContext& ctx) {
  bootsel::Ledger first = ledger;
  first.generation = std::max<uint64_t>(ledger.generation, 1);
  return WriteWholeFile(sysroot, first, ctx);
}

bootsel::Digest LedgerDigest(const HashValue& sha256) {
  bootsel::Digest digest;
  std::transform(sha256.bytes.begin(), sha256.bytes.begin() + digest.bytes.size(), digest.bytes.begin(),
                 [](std::byte byte) { return std::to_integer<uint8_t>(byte); });
  return digest;
}

}  // namespace hostapp
