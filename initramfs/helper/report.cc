// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

namespace hostapp::initramfs {
namespace {

std::string_view YesNo(bool value) { return value ? "yes" : "no"; }

}  // namespace

Text<1024> FormatReport(const Report& report) {
  std::array<char, bootsel::kDigestHexChars> hex{};
  Text<1024> text;
  text.Append("format=1\nserial=").Append(report.choice.serial);
  text.Append("\nreason=").Append(bootsel::ReasonName(report.choice.reason));
  text.Append("\ntrial=").Append(YesNo(report.trial));
  text.Append("\nkernel=").Append(bootsel::KernelName(report.choice.kernel));
  text.Append("\nasked=").Append(report.asked.serial);
  text.Append("\nboot-set=");
  if (report.asked.Any()) text.Append(bootsel::FormatDigest(report.asked.boot_set, hex));
  text.Append("\nledger-writable=").Append(YesNo(report.ledger_writable));
  text.Append("\nledger-remade=").Append(YesNo(report.ledger_remade));
  text.Append("\nroot=").Append(report.composefs ? "composefs" : "checkout");
  if (report.composefs) {
    text.Append("\nroot-image=").Append(ImageByName(report.composefs->image));
    text.Append("\nroot-store=").Append(StoreAsName(report.composefs->store));
  }
  text.Append("\netc=").Append(report.etc == EtcForm::kOverlay ? "overlay" : "copy");
  text.Append("\nhelper=" HOSTAPP_VERSION "\n");
  return text;
}

bool WriteReport(const Report& report, Problem& why) {
  constexpr const char* kUnfinished = "/run/hostapp/boot.new";
  const Text<1024> text = FormatReport(report);
  const Fd fd(open(kUnfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.ok() || !WriteAll(fd.get(), text.view()) || rename(kUnfinished, kReportPath) != 0) {
    return why.IsErrno(errno, "writing ", kReportPath);
  }
  return true;
}

}  // namespace hostapp::initramfs
