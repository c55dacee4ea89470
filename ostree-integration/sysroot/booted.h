// SPDX-License-Identifier: Apache-2.0
// What runs, as the helper wrote it at this boot.
#pragma once

#include <optional>
#include <string>

#include "initramfs/bootsel/choose.h"
#include "ostree-integration/sysroot/deployment.h"

namespace hostapp {

// How the tree was mounted, in the helper's words (docs/formats-ledger.md), which a newer one may have more of.
struct BootedRoot {
  std::string root;          // "checkout" or "composefs"; empty: it did not say
  std::string image, store;  // of a composefs root; otherwise empty
  std::string etc;
};

struct Booted {
  DeploymentSerial serial = 0;
  bootsel::Reason reason = bootsel::Reason::kDefault;
  bootsel::Kernel kernel = bootsel::Kernel::kOutside;
  bool ledger_writable = true;
  BootedRoot root;
};

// The helper's record. kCorrupt when it cannot be understood; keys that are not known are a newer helper's.
Result<Booted> ParseBooted(std::string_view text);

// Nothing when the sysroot is not the running system's. kCorrupt when the record cannot be understood.
Result<std::optional<Booted>> ReadBooted(const Sysroot& sysroot);

}  // namespace hostapp
