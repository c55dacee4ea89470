// SPDX-License-Identifier: Apache-2.0
// fsck: store, deployments, boot sets, ledger.
#pragma once

#include "hostapp/boot/device.h"
#include "hostapp/lifecycle/open_image.h"

namespace hostapp {

struct DeviceProblem {
  std::string kind;  // "damaged-object", "missing-object", "damaged-tree", "damaged-boot-set", "ledger-slot", …
  std::string what;  // one line, escaped
  bool repaired = false;
};

struct DeviceReport {
  uint64_t objects = 0;  // verified
  std::vector<DeviceProblem> problems;

  bool ok() const;  // nothing is wrong, or everything wrong was repaired
};

enum class RepairMode { kReportOnly, kRepair };

// Verifies all that boots. With kRepair damaged objects are fetched again from the image's source, damaged files of
// checkouts and boot sets are made again from the store, a damaged ledger slot is overwritten. Problems are no error of
// the call. kBusy while another process has the store.
Result<DeviceReport> CheckDevice(const Device& device, RepairMode mode, const RegistryOptions& options, OpContext& ctx);

}  // namespace hostapp
