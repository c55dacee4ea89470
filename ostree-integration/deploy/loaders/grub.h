// SPDX-License-Identifier: Apache-2.0
// GNU GRUB, as old as 2.06: no reader of BLS entries, no arithmetic. Our grub.cfg (grub_config.h) does the rest.
//
//   hostapp/grub/env                     GRUB's environment block: hostapp_default, hostapp_trial, hostapp_tries
//   hostapp/grub/entries/<serial>/       ten digits, so that names sort as numbers do
//     entry.cfg                          which boot set, which arguments
//     SHA256SUMS                         of entry.cfg; GRUB checks it, and the boot set's, before it starts a kernel
//     good                               the mark of goodness
//
// The commit point of Arm() and Bless() is the environment block: 1,024 bytes that are overwritten in place, with all
// that is said in the first sector. GRUB overwrites the same block to count.
#pragma once

#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

class GrubLoader : public Loader {
 public:
  explicit GrubLoader(int boot) : boot_(boot) {}
  LoaderKind kind() const override { return LoaderKind::kGrub; }
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
