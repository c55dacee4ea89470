// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>

#include "initramfs/helper/facts.h"

namespace hostapp::initramfs {
namespace {

// Read-only is the mount, not the file system: /var and the ledger on the same one stay writable.
bool BindReadOnly(const Path& source, const char* target) {
  return mount(source.c_str(), target, nullptr, MS_BIND, nullptr) == 0 &&
         mount(nullptr, target, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
}

}  // namespace

bool Trees::Mount(bootsel::Serial serial, Fd& tree, Problem& why) const {
  if (!EnsureDirectory(AT_FDCWD, "/run/hostapp", 0755) || !EnsureDirectory(AT_FDCWD, kNewRoot, 0755)) {
    return why.IsErrno(errno, "making ", kNewRoot);
  }
  if (!Open(serial, why).ok()) return false;
  if (BindReadOnly(PathOf(physical_, "/", kDeployments, "/", serial, "/root"), kNewRoot)) {
    tree = OpenDirectory(AT_FDCWD, kNewRoot);
    if (tree.ok()) return true;
  }
  why.IsErrno(errno, "mounting the tree of deployment ", serial);
  Unmount();
  return false;
}

Fd Trees::Open(bootsel::Serial serial, Problem& why) const {
  Fd tree = OpenDirectory(root_, PathOf(kDeployments, "/", serial, "/root").c_str());
  if (!tree.ok()) why.IsErrno(errno, "opening the tree of deployment ", serial);
  return tree;
}

void Unmount() { umount2(kNewRoot, MNT_DETACH); }

}  // namespace hostapp::initramfs
