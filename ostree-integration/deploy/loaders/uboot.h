// SPDX-License-Identifier: Apache-2.0
// U-Boot, any build that has `load`, `save` and `env import/export -c`: our boot script (uboot_script.h) does the rest.
//
//   hostapp/uboot/state-0, state-1     default, trial, tries; U-Boot overwrites both to count
//   hostapp/uboot/proven               deployments with a mark of goodness
//   hostapp/uboot/entries/<serial>.env   boot set, arguments, sizes and CRC-32s, which U-Boot checks before it starts
//
// All in U-Boot's own checked format (uboot_env.h). The first three never change their size: they are overwritten in
// place. Copy 1 is written first, copy 0, which is read first, after it: the commit point of Arm() and Bless() is copy
// 0, and a cut while it is written leaves copy 1, which says the same. (A torn list of proven deployments is an empty
// one until the next blessing; it is only asked when both copies are lost.)
#pragma once

#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

class UbootLoader : public Loader {
 public:
  explicit UbootLoader(int boot) : boot_(boot) {}
  LoaderKind kind() const override { return LoaderKind::kUboot; }
  Status Check(const BootEntry& entry) const override;
  // Reads the boot set, to take its CRC-32s: kCorrupt when it is not what its SHA256SUMS say.
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
