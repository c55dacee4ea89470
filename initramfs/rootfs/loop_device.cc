// SPDX-License-Identifier: Apache-2.0
#include "initramfs/rootfs/loop_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

namespace hostapp::initramfs {
namespace {

constexpr const char* kControl = "/dev/loop-control";
constexpr int kMaxRaces = 16;  // for a device that was free a moment ago

// In two steps, for kernels before 5.8. It is read-only because the file is open for reading only.
bool ConfigureInSteps(int device, const struct loop_config& config) {
  if (ioctl(device, LOOP_SET_FD, static_cast<int>(config.fd)) != 0) return false;
  if (ioctl(device, LOOP_SET_STATUS64, &config.info) == 0) return true;
  const int error = errno;
  ioctl(device, LOOP_CLR_FD, 0);
  errno = error;
  return false;
}

// Leaves errno: EBUSY where somebody else has taken the device.
bool Configure(int device, int file, std::string_view name) {
  struct loop_config config = {};
  config.fd = static_cast<uint32_t>(file);
  config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
  const size_t room = sizeof config.info.lo_file_name - 1;
  name.copy(reinterpret_cast<char*>(config.info.lo_file_name), name.size() < room ? name.size() : room);
  if (ioctl(device, LOOP_CONFIGURE, &config) == 0) return true;
  return (errno == ENOTTY || errno == EINVAL) && ConfigureInSteps(device, config);
}

}  // namespace

bool AttachLoop(int file, std::string_view name, LoopDevice& device, Problem& why) {
  const Fd control = OpenAt(AT_FDCWD, kControl, O_RDWR);
  if (!control.ok()) return why.IsErrno(errno, "opening ", kControl);
  for (int race = 0; race < kMaxRaces; race++) {
    const int number = ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) return why.IsErrno(errno, "asking for a free loop device");
    device.path = Text<32>("/dev/loop", number);
    device.fd = OpenAt(AT_FDCWD, device.path.c_str(), O_RDONLY);
    if (!device.fd.ok()) return why.IsErrno(errno, "opening ", device.path);
    if (Configure(device.fd.get(), file, name)) return true;
    if (errno != EBUSY) return why.IsErrno(errno, "attaching ", device.path);
  }
  return why.Is("every loop device that was free was taken by somebody else");
}

}  // namespace hostapp::initramfs
