// SPDX-License-Identifier: Apache-2.0
// systemd-boot. The boot file system is the EFI system partition, so FAT: no journal, no freezing.
//
//   loader/entries/hostapp-….conf             what systemd-boot starts (systemd_boot_entry.h)
//   hostapp/systemd-boot/entries/<serial>.conf  staged: the same text, where systemd-boot does not look
//   hostapp/systemd-boot/good/<serial>        the mark of goodness
//
// There is no state but the entries. A decision adds an entry that sorts before all others, complete under its final
// name: the rename is the commit point. Only then is removed what it replaces; a cut in between leaves entries that
// come later, which the next decision removes. A trial's entry has a counter; the default's has none, nor have those of
// other proven deployments, which are kept: when the default's kernel is missing, systemd-boot goes on to them.
//
// The mark is a file, not an entry's lack of a counter: the first deployment of a device is its default before it is
// proven, and a proven one may be on trial again.
#pragma once

#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

class SystemdBootLoader : public Loader {
 public:
  explicit SystemdBootLoader(int boot) : boot_(boot) {}
  LoaderKind kind() const override { return LoaderKind::kSystemdBoot; }
  Status Check(const BootEntry& entry) const override;
  Status Stage(const BootEntry& entry, OpContext& ctx) override;
  Status Arm(const BootEntry& fallback, const BootEntry& trial, int tries, OpContext& ctx) override;
  Status Bless(const BootEntry& entry, OpContext& ctx) override;
  Status Mark(const BootEntry& entry, OpContext& ctx) override;
  Result<LoaderState> Read() const override;
  Status Remove(uint64_t serial, OpContext& ctx) override;

 private:
  int boot_;
};

}  // namespace hostapp
