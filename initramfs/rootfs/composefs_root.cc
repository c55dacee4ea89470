// SPDX-License-Identifier: Apache-2.0
#include "initramfs/rootfs/composefs_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/loop_device.h"

namespace hostapp::initramfs {
namespace {

// Where the image alone is mounted for as long as the overlay is made; the overlay then keeps it.
constexpr const char* kImagePlace = "/run/hostapp/image";

bool MountErofs(const char* source) { return mount(source, kImagePlace, "erofs", MS_RDONLY, nullptr) == 0; }

bool MountImage(int image, std::string_view name, ImageBy& by, Problem& why) {
  LoopDevice device;
  Problem no_loop;
  by = ImageBy::kLoop;
  if (AttachLoop(image, name, device, no_loop)) {
    return MountErofs(device.path.c_str()) || why.IsErrno(errno, "mounting the image by ", device.path);
  }
  by = ImageBy::kFile;
  // The very file that was checked, whatever its name means by now.
  if (MountErofs(PathOf("/proc/self/fd/", image).c_str())) return true;
  return why.IsErrno(errno, no_loop.text(), "; mounting the image without a loop device");
}

bool MountOverlay(const char* objects, const char* target, StoreAs as) {
  const std::string_view between = as == StoreAs::kDataOnly ? "::" : ":";
  const Text<1024> options("metacopy=on,redirect_dir=on,lowerdir=", kImagePlace, between, objects);
  errno = ENAMETOOLONG;
  return !options.truncated() && mount("overlay", target, "overlay", MS_RDONLY, options.c_str()) == 0;
}

}  // namespace

std::string_view ImageByName(ImageBy by) { return by == ImageBy::kLoop ? "loop" : "file"; }
std::string_view StoreAsName(StoreAs as) { return as == StoreAs::kDataOnly ? "data-only" : "ordinary"; }

bool MountComposefs(int image, std::string_view name, const char* objects, const char* target, ComposefsWay& way,
                    Problem& why) {
  if (!EnsureDirectory(AT_FDCWD, kImagePlace, 0700)) return why.IsErrno(errno, "making ", kImagePlace);
  if (!MountImage(image, name, way.image, why)) return false;
  bool mounted = false;
  for (const StoreAs as : {StoreAs::kDataOnly, StoreAs::kOrdinary}) {
    way.store = as;
    mounted = MountOverlay(objects, target, as);
    if (mounted) break;
  }
  if (!mounted) why.IsErrno(errno, "mounting the overlay of the image and ", objects);
  umount2(kImagePlace, MNT_DETACH);
  rmdir(kImagePlace);
  return mounted;
}

}  // namespace hostapp::initramfs
