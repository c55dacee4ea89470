// SPDX-License-Identifier: Apache-2.0
#include "initramfs/rootfs/composefs_root.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/fs_verity.h"
#include "initramfs/rootfs/loop_device.h"

namespace hostapp::initramfs {
namespace {

bool MountErofs(const char* source, const char* place) {
  return mount(source, place, "erofs", MS_RDONLY, nullptr) == 0;
}

bool MountImage(const ComposefsMount& what, ImageBy& by, Problem& why) {
  LoopDevice device;
  Problem no_loop;
  by = ImageBy::kLoop;
  if (AttachLoop(what.image, what.name, device, no_loop)) {
    return MountErofs(device.path.c_str(), what.place) || why.IsErrno(errno, "mounting the image by ", device.path);
  }
  by = ImageBy::kFile;
  // The very file that was checked, whatever its name means by now.
  if (MountErofs(PathOf("/proc/self/fd/", what.image).c_str(), what.place)) return true;
  return why.IsErrno(errno, no_loop.text(), "; mounting the image without a loop device");
}

bool MountOverlay(const ComposefsMount& what, StoreAs as) {
  const std::string_view verity = as == StoreAs::kVerified ? "verity=require," : "";
  const std::string_view between = as == StoreAs::kOrdinary ? ":" : "::";
  const Text<1024> options(verity, "metacopy=on,redirect_dir=on,lowerdir=", what.place, between, what.objects);
  errno = ENAMETOOLONG;
  return !options.truncated() && mount(what.name, what.target, "overlay", MS_RDONLY, options.c_str()) == 0;
}

}  // namespace

std::string_view ImageByName(ImageBy by) { return by == ImageBy::kLoop ? "loop" : "file"; }
std::string_view StoreAsName(StoreAs as) {
  switch (as) {
    case StoreAs::kVerified:
      return "verified";
    case StoreAs::kDataOnly:
      return "data-only";
    case StoreAs::kOrdinary:
      break;
  }
  return "ordinary";
}

bool MountComposefs(const ComposefsMount& what, ComposefsWay& way, Problem& why) {
  if (!MountImage(what, way.image, why)) return false;
  bool mounted = false;
  const bool verity = HasFsVerity(what.image);
  for (const StoreAs as : {StoreAs::kVerified, StoreAs::kDataOnly, StoreAs::kOrdinary}) {
    if (as == StoreAs::kVerified && !verity) continue;
    way.store = as;
    mounted = MountOverlay(what, as);
    if (mounted) break;
  }
  if (!mounted) why.IsErrno(errno, "mounting the overlay of the image and ", what.objects);
  umount2(what.place, MNT_DETACH);
  return mounted;
}

}  // namespace hostapp::initramfs
