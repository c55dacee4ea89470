// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/ledger_file.h"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

using SlotBytes = std::array<std::byte, bootsel::kSlotBytes>;

// A file that some accident made longer is still read: only its first two slots count.
constexpr uint64_t kMaxRead = 1 << 20;

Result<bootsel::LedgerFile> ReadSlots(const Sysroot& sysroot) {
  bootsel::LedgerFile file;
  if (!Exists(sysroot.hostapp(), kLedgerName)) {
    return Error(
        Errc::kNotFound,
        "there is none; a sysroot that is not complete is completed by: hostapp init, a lost one made again by: "
        "hostapp reconcile");
  }
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(sysroot.hostapp(), kLedgerName, kMaxRead));
  const size_t size = std::min(bytes.size(), bootsel::kLedgerFileBytes);
  bootsel::ReadLedgerFile(AsBytes(bytes).first(size), file);
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
