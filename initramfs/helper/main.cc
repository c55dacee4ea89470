// SPDX-License-Identifier: Apache-2.0
// hostapp-init: selects a deployment and makes it the root.
//
// As PID 1 (/init of an initramfs of our own) it does everything from mounting /proc to starting the deployment's init.
// As `hostapp-init --root DIR`, a hook in a distribution's initramfs, it finds the physical root mounted at DIR and
// leaves the deployment there, with the physical root inside it at /sysroot; the initramfs goes on as it always does.
//
// It never opens a shell unless `hostapp.shell` is on the kernel command line. Where nothing can be booted it says why
// and restarts the machine, after `hostapp.restart-delay=` seconds.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <time.h>
#include <unistd.h>

#include "initramfs/bootsel/cmdline.h"
#include "initramfs/helper/boot.h"
#include "initramfs/helper/early.h"
#include "initramfs/helper/root_device.h"
#include "initramfs/helper/watchdog.h"

namespace hostapp::initramfs {
namespace {

constexpr uint64_t kDefaultRestartDelay = 30;
constexpr uint64_t kMaxRestartDelay = 86400;
constexpr const char* kPhysicalRoot = "/sysroot";

class Cmdline {
 public:
  // Without /proc it stays empty: nothing was asked for.
  void Read() {
    if (!ReadFileAt(AT_FDCWD, "/proc/cmdline", buffer_, text_)) text_ = {};
  }
  std::string_view text() const { return text_; }
  Path Init() const {
    const std::string_view init = bootsel::LastValue(text_, "init");
    return PathOf(init.starts_with('/') ? init : "/sbin/init");
  }

 private:
  std::array<char, 8192> buffer_{};
  std::string_view text_;
};

[[noreturn]] void Restart() {
  sync();
  reboot(RB_AUTOBOOT);
  for (;;) pause();  // not permitted to restart: nothing is left to do
}

// The end of a boot that found nothing to start. The delay is for people to read the cause.
[[noreturn]] void GiveUp(const Cmdline& cmdline, Console& console, std::string_view why) {
  if (!why.empty()) console.Complain(why);
  if (bootsel::HasArgument(cmdline.text(), "hostapp.shell")) {
    console.Complain("starting a shell, as hostapp.shell asks");
    execl("/bin/sh", "sh", nullptr);
    console.Complain("there is no /bin/sh in this initramfs");
  }
  const std::string_view wanted = bootsel::LastValue(cmdline.text(), "hostapp.restart-delay");
  uint64_t seconds = wanted == "0" ? 0 : bootsel::ParseSerial(wanted);
  if (seconds == 0 && wanted != "0") seconds = kDefaultRestartDelay;
  if (seconds > kMaxRestartDelay) seconds = kMaxRestartDelay;
  console.Complain("restarting in ", seconds, " seconds");
  struct timespec rest = {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = 0};
  while (nanosleep(&rest, &rest) != 0 && errno == EINTR) {
  }
  Restart();
}

// From the mounted physical root to the deployment in its place.
void BootFrom(const char* physical, const char* init, const Cmdline& cmdline, Console& console) {
  StartWatchdog(cmdline.text(), kWatchdogDevice, console);
  const BootSettings settings = {.physical = physical, .cmdline = cmdline.text(), .init = init};
  switch (ComposeBoot(settings, console)) {
    case Outcome::kComposed:
      break;
    case Outcome::kRestart:
      Restart();
    case Outcome::kNothing:
      GiveUp(cmdline, console, "");
  }
  Problem why;
  if (!PutInPlace(physical, why)) GiveUp(cmdline, console, why.text());
}

[[noreturn]] void RunAsInit(char** argv) {
  Console console;
  Cmdline cmdline;
  Problem why;
  if (!MountKernelFileSystems(console, why)) GiveUp(cmdline, console, why.text());
  cmdline.Read();
  LoadModules(kModuleList, console);
  RootDevice device;
  mkdir(kPhysicalRoot, 0755);
  if (!WaitForRoot(cmdline.text(), device, why)) GiveUp(cmdline, console, why.text());
  LoadModules(PathOf(kModuleList, ".", device.fstype).c_str(), console);
  if (!MountRoot(cmdline.text(), device, kPhysicalRoot, console, why)) GiveUp(cmdline, console, why.text());
  const Path init = cmdline.Init();
  BootFrom(kPhysicalRoot, init.c_str(), cmdline, console);
  SwitchRoot(kPhysicalRoot, init.c_str(), argv, why);
  GiveUp(cmdline, console, why.text());
}

int RunAsHook(const char* physical) {
  Console console;
  console.Open();
  Cmdline cmdline;
  cmdline.Read();
  if (KindAt(AT_FDCWD, PathOf(physical, "/hostapp").c_str()) != EntryKind::kDirectory) {
    console.Say(physical, " has no /hostapp: leaving it as it is");
    return 0;
  }
  // Distributions mount it read-only first; the ledger is written before anything else happens.
  if (mount(nullptr, physical, nullptr, MS_REMOUNT, nullptr) != 0) {
    Problem why;
    why.IsErrno(errno, "making ", physical, " writable");
    console.Complain(why.text());
  }
  BootFrom(physical, cmdline.Init().c_str(), cmdline, console);
  return 0;
}

int Usage() {
  constexpr std::string_view kUsage =
      "usage: hostapp-init --root DIR   in an initramfs, with the physical root mounted at DIR\n"
      "       hostapp-init --version\n"
      "As process 1 it takes no arguments of its own.\n";
  WriteAll(STDERR_FILENO, kUsage);
  return 2;
}

}  // namespace
}  // namespace hostapp::initramfs

int main(int argc, char** argv) {
  using namespace hostapp::initramfs;  // NOLINT: main belongs to the program and stands outside
  if (getpid() == 1) RunAsInit(argv);
  if (argc == 3 && strcmp(argv[1], "--root") == 0) return RunAsHook(argv[2]);
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    constexpr std::string_view kVersion = "hostapp-init " HOSTAPP_VERSION "\n";
    return WriteAll(STDOUT_FILENO, kVersion) ? 0 : 1;
  }
  return Usage();
}
