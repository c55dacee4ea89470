// SPDX-License-Identifier: Apache-2.0
// The boot ledger on disk: hostapp/boot-ledger, two slots of 4 KiB, written in place. The record and what may happen to
// it are initramfs/bootsel's; here are the file and its durability.
#pragma once

#include <functional>

#include "hostapp/base/hash.h"
#include "initramfs/bootsel/ledger.h"
#include "initramfs/bootsel/transitions.h"
#include "ostree-integration/sysroot/sysroot.h"

namespace hostapp {

// Makes the file with an empty record in both slots, unless it exists. Durable.
Status CreateLedger(const Sysroot& sysroot, OpContext& ctx);

struct StoredLedger {
  bootsel::Ledger ledger;
  int damaged_slots = 0;  // 0 or 1: one slot is enough
};

// kCorrupt when both slots are lost: the helper makes the ledger again at the next boot, `reconcile` on the running
// system.
Result<StoredLedger> ReadLedger(const Sysroot& sysroot);

// Reads the ledger, lets `change` alter it and, if it did, writes it with the next generation over the older slot.
// On return the change is on disk; on any error the newest record before is intact. This write is the commit point of
// every verb that decides what boots.
Status ChangeLedger(const LedgerLock& lock, const Sysroot& sysroot, OpContext& ctx,
                    const std::function<Status(bootsel::Ledger&)>& change);

// Writes the newest record over the other slot, which some damage has hit.
Status RewriteLedger(const LedgerLock& lock, const Sysroot& sysroot, OpContext& ctx);

// For both slots lost: writes `ledger` as the first record of a new file.
Status RemakeLedger(const LedgerLock& lock, const Sysroot& sysroot, const bootsel::Ledger& ledger, OpContext& ctx);

// Hexadecimal text and back, between the ledger's plain arrays and the rest of the program.
bootsel::Digest LedgerDigest(const HashValue& sha256);

}  // namespace hostapp
