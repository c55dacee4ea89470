// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>

#include "initramfs/bootsel/cmdline.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

uint64_t WatchdogSeconds(std::string_view cmdline) {
  const uint64_t seconds = bootsel::ParseSerial(bootsel::LastValue(cmdline, "hostapp.watchdog"));
  if (seconds > kMaxWatchdogSeconds || bootsel::LastValue(cmdline, "systemd.watchdog_sec").empty()) return 0;
  return seconds;
}

void StartWatchdog(std::string_view cmdline, const char* device, Console& console) {
  if (!bootsel::HasArgument(cmdline, "hostapp.watchdog")) return;
  const uint64_t seconds = WatchdogSeconds(cmdline);
  if (seconds == 0) {
    console.Complain("hostapp.watchdog= is not 1 to ", kMaxWatchdogSeconds,
                     " seconds, or has no systemd.watchdog_sec= beside it: no watchdog is started");
    return;
  }
  Problem why;
  const Fd file(open(device, O_WRONLY | O_CLOEXEC));
  if (!file.ok()) {
    why.IsErrno(errno, "opening ", device);
    console.Complain(why.text(), ": a hang will not be noticed");
    return;
  }
  int timeout = static_cast<int>(seconds);
  // Some have one fixed timeout; that is better than none.
  if (ioctl(file.get(), WDIOC_SETTIMEOUT, &timeout) != 0) ioctl(file.get(), WDIOC_GETTIMEOUT, &timeout);
  ioctl(file.get(), WDIOC_KEEPALIVE, 0);
  console.Say("the watchdog resets this machine unless it is fed within ", static_cast<uint64_t>(timeout), " seconds");
}

}  // namespace hostapp::initramfs
