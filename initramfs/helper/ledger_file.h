// SPDX-License-Identifier: Apache-2.0
// The boot ledger on the physical root, as the helper reads and writes it.
#pragma once

#include <optional>

#include "initramfs/bootsel/ledger.h"
#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

inline constexpr const char* kLedgerPath = "hostapp/boot-ledger";

class LedgerStore {
 public:
  // `root` is the physical root and stays the caller's. A file that is missing, short or unreadable is a lost ledger.
  explicit LedgerStore(int root) : root_(root) {}

  void Load();

  // Null while both slots are lost.
  const bootsel::Ledger* ledger() const { return lost_ ? nullptr : &file_.ledger; }
  const bootsel::LedgerFile& file() const { return file_; }

  // Durably puts `next` into the slot that does not hold the newest record. When this returns true the record survives
  // a power cut; on false the record before is intact and nothing may depend on `next`.
  bool Store(const bootsel::Ledger& next, Problem& why);

 private:
  bool WriteSlot(int slot, const bootsel::Ledger& next, Problem& why);

  int root_;
  bool lost_ = true;
  bootsel::LedgerFile file_;
};

}  // namespace hostapp::initramfs
