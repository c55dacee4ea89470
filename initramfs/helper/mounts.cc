// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "initramfs/helper/facts.h"

namespace hostapp::initramfs {
namespace {

Path InTree(std::string_view below) { return PathOf(kNewRoot, "/", below); }
Path Target(const Step& step) { return InTree(step.target); }

class Runner {
 public:
  Runner(const MountPlan& plan, const Trees& trees, Composition& made, Problem& why)
      : trees_(trees), root_(trees.root()), serial_(plan.serial), made_(made), why_(why) {
    struct statvfs info = {};
    read_only_ = fstatvfs(root_, &info) == 0 && (info.f_flag & ST_RDONLY) != 0;
  }

  bool Run(const Step& step, bootsel::Serial etc_from) {
    switch (step.kind) {
      case StepKind::kEtc:
        return Etc(step, etc_from);
      case StepKind::kPersistent:
        return Persistent(step);
      case StepKind::kTmpfs:
        break;
    }
    return Tmpfs(step);
  }

 private:
  Path InDeployment(std::string_view below) const {
    return PathOf(trees_.physical(), "/", kDeployments, "/", serial_, "/", below);
  }
  bool Bind(const Path& source, const Path& target) {
    if (source.truncated() || target.truncated()) return why_.Is("binding ", target, ": path too long");
    if (mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) == 0) return true;
    return why_.IsErrno(errno, "binding ", source, " on ", target);
  }
  bool Etc(const Step& step, bootsel::Serial etc_from);
  bool NeedsEtcCopy(int error) const;
  bool ReadOnlyEtc(const Step& step);
  bool Overlay(const Step& step, const Text<2048>& layers);
  bool Persistent(const Step& step);
  bool FillOnce(const Step& step);
  bool Tmpfs(const Step& step);

  const Trees& trees_;
  int root_;
  bootsel::Serial serial_;
  bool read_only_ = false;
  Composition& made_;
  Problem& why_;
};

bool Runner::Etc(const Step& step, bootsel::Serial etc_from) {
  if (read_only_) return ReadOnlyEtc(step);
  if (!PrepareEtc(trees_, made_.tree.root.get(), serial_, etc_from, made_.etc, why_)) return false;
  if (made_.etc.form == EtcForm::kCopy) return Bind(InDeployment("etc/tree"), Target(step));
  Text<2048> layers(",lowerdir=");
  layers.Append(InTree("usr/etc"));
  layers.Append(",upperdir=").Append(InDeployment("etc/upper"));
  layers.Append(",workdir=").Append(InDeployment("etc/work"));
  if (Overlay(step, layers)) return true;
  if (!NeedsEtcCopy(errno)) return false;
  return PrepareEtcCopy(root_, made_.tree.root.get(), serial_, made_.etc, why_) &&
         Bind(InDeployment("etc/tree"), Target(step));
}

// Where there is no overlayfs, or no room for another one: EROFS from a file and the overlay of the tree are as many
// file systems on top of each other as the kernel allows.
bool Runner::NeedsEtcCopy(int error) const {
  const auto& composefs = made_.tree.composefs;
  return error == ENODEV || (error == EINVAL && composefs && composefs->image == ImageBy::kFile);
}

// A disk that takes no writes any more still boots, with the /etc that it has.
bool Runner::ReadOnlyEtc(const Step& step) {
  if (ExistsAt(root_, PathOf(kDeployments, "/", serial_, "/etc/tree").c_str())) {
    made_.etc.form = EtcForm::kCopy;
    return Bind(InDeployment("etc/tree"), Target(step));
  }
  if (!ExistsAt(root_, PathOf(kDeployments, "/", serial_, "/etc/upper").c_str())) {
    return Bind(InTree("usr/etc"), Target(step));
  }
  Text<2048> layers(",lowerdir=");
  layers.Append(InDeployment("etc/upper")).Append(":").Append(InTree("usr/etc"));
  return Overlay(step, layers);
}

// All off, because the changes must stay plain files, whiteouts and opaque marks, which another deployment can take
// over. Leaves errno for the caller.
bool Runner::Overlay(const Step& step, const Text<2048>& layers) {
  const Text<2304> options("index=off,redirect_dir=off,metacopy=off", layers);
  errno = ENAMETOOLONG;
  if (!options.truncated() && !layers.truncated() &&
      mount("overlay", Target(step).c_str(), "overlay", 0, options.c_str()) == 0) {
    return true;
  }
  const int error = errno;
  why_.IsErrno(error, "mounting the overlay on /etc of deployment ", serial_);
  errno = error;
  return false;
}

bool Runner::Persistent(const Step& step) {
  return FillOnce(step) && Bind(PathOf(trees_.physical(), "/hostapp/", step.source), Target(step));
}

// From the image, in hostapp/tmp, renamed when complete: a power cut leaves nothing or all of it. An empty folder
// counts as not there yet only for /var itself; what people emptied on purpose stays empty.
bool Runner::FillOnce(const Step& step) {
  const Path target = PathOf("hostapp/", step.source);
  const bool is_var = step.target == std::string_view("var");
  if (read_only_ || (ExistsAt(root_, target.c_str()) && !(is_var && IsEmptyDirectory(root_, target.c_str()))))
    return true;
  const Fd image = OpenDirectory(made_.tree.root.get(), step.target);
  const Fd parent = OpenDirectory(root_, is_var ? "hostapp" : "hostapp/var");
  const Fd scratch = EnsureDirectory(root_, "hostapp/tmp", 0700) ? OpenDirectory(root_, "hostapp/tmp") : Fd();
  if (!image.ok() || !parent.ok() || !scratch.ok()) return why_.IsErrno(errno, "filling ", target);
  const std::string_view path(step.source);
  const Text<64> name(path.substr(path.rfind('/') + 1));
  const auto fill = [&](int folder) { return CopyTree(image.get(), folder, CopyKind::kPlain, made_.filled, why_); };
  return MakeComplete(scratch.get(), PathOf("fill-", name).c_str(), parent.get(), name.c_str(), fill, why_);
}

bool Runner::Tmpfs(const Step& step) {
  if (mount("tmpfs", Target(step).c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0) return true;
  return why_.IsErrno(errno, "mounting a tmpfs on /", step.target);
}

bool MoveMount(const char* source, const char* target, Problem& why) {
  return mount(source, target, nullptr, MS_MOVE, nullptr) == 0 || why.IsErrno(errno, "moving ", source, " to ", target);
}

}  // namespace

bool RunPlan(const MountPlan& plan, const Trees& trees, bootsel::Serial etc_from, Composition& made, Problem& why) {
  Runner runner(plan, trees, made, why);
  for (const Step& step : plan.Steps()) {
    if (!runner.Run(step, etc_from)) return false;
  }
  return true;
}

bool PutInPlace(const char* physical, Problem& why) {
  // The kernel moves no mount out of a shared one, and an init before us may have made everything shared.
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return why.IsErrno(errno, "making mounts private");
  if (!MoveMount(physical, PathOf(kNewRoot, "/sysroot").c_str(), why)) return false;
  if (!MoveMount(kNewRoot, physical, why)) return false;
  rmdir(kNewRoot);
  return true;
}

}  // namespace hostapp::initramfs
