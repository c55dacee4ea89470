// SPDX-License-Identifier: Apache-2.0
// The kernel comes from outside (a virtual machine, the network, a UEFI stub): nobody reads the boot file system, and
// the helper alone counts.
#pragma once

#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

class NoLoader : public Loader {
 public:
  LoaderKind kind() const override { return LoaderKind::kNone; }
  Status Check(const BootEntry&) const override { return Ok(); }
  Status Stage(const BootEntry&, OpContext&) override { return Ok(); }
  Status Arm(const BootEntry&, const BootEntry&, int, OpContext&) override { return Ok(); }
  Status Bless(const BootEntry&, OpContext&) override { return Ok(); }
  Status Mark(const BootEntry&, OpContext&) override { return Ok(); }
  Result<LoaderState> Read() const override { return LoaderState{}; }
  Status Remove(uint64_t, OpContext&) override { return Ok(); }
};

}  // namespace hostapp
