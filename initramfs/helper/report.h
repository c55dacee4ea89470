// SPDX-License-Identifier: Apache-2.0
// /run/hostapp/boot: what the helper did, for the programs of the booted system. docs/formats-ledger.md has the format.
#pragma once

#include "initramfs/bootsel/choose.h"
#include "initramfs/helper/mounts.h"

namespace hostapp::initramfs {

inline constexpr const char* kReportPath = "/run/hostapp/boot";

struct Report {
  bootsel::Choice choice;
  bootsel::Asked asked;
  bool trial = false;
  bool ledger_writable = true;
  bool ledger_remade = false;
  std::optional<ComposefsWay> composefs;  // nothing: a checkout
  EtcForm etc = EtcForm::kOverlay;
};

Text<1024> FormatReport(const Report& report);

// Under its name only when complete.
bool WriteReport(const Report& report, Problem& why);

}  // namespace hostapp::initramfs
