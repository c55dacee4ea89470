// SPDX-License-Identifier: Apache-2.0
// boot_once SYSROOT [CMDLINE]: one boot of the helper, from the physical root to a composed deployment, in mounts that
// end with it; prints its report (/run/hostapp/boot). Exit status 0: a deployment was composed; 3: a restart for
// another kernel; 4: nothing could be.
#include <sched.h>
#include <sys/mount.h>

#include <cstdio>
#include <fstream>
#include <iostream>

#include "initramfs/helper/boot.h"
#include "initramfs/helper/report.h"

int main(int argc, char** argv) {
  using hostapp::initramfs::Outcome;
  if (argc != 2 && argc != 3) {
    std::fputs("usage: boot_once SYSROOT [CMDLINE]\n", stderr);
    return 2;
  }
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("boot", "/run", "tmpfs", 0, "mode=0755") != 0) {
    std::perror("boot_once: mounts of its own");
    return 1;
  }
  hostapp::initramfs::Console console;
  const Outcome outcome = hostapp::initramfs::ComposeBoot(
      {.physical = argv[1], .cmdline = argc == 3 ? argv[2] : "", .init = "/sbin/init"}, console);
  std::cout << std::ifstream(hostapp::initramfs::kReportPath).rdbuf() << std::flush;
  return outcome == Outcome::kComposed ? 0 : outcome == Outcome::kRestart ? 3 : 4;
}
