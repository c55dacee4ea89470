// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "initramfs/helper/facts.h"
#include "initramfs/rootfs/fs_verity.h"

namespace hostapp::initramfs {
namespace {

using bootsel::Cause;
using bootsel::Digest;
using bootsel::Serial;

constexpr const char* kOtherTree = "/run/hostapp/other";
constexpr const char* kImagePlace = "/run/hostapp/image";  // for an image alone

// Read-only is the mount, not the file system: /var and the ledger on the same one stay writable.
bool BindReadOnly(const Path& source, const char* target) {
  return mount(source.c_str(), target, nullptr, MS_BIND, nullptr) == 0 &&
         mount(nullptr, target, nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
}

bool MakePlace(const char* place, Problem& why) {
  if (EnsureDirectory(AT_FDCWD, "/run/hostapp", 0755) && EnsureDirectory(AT_FDCWD, place, 0755)) return true;
  return why.IsErrno(errno, "making ", place);
}

bool NamedDigest(const bootsel::Ledger* ledger, Serial serial, Digest& digest) {
  if (ledger == nullptr) return false;
  const bootsel::NamedDeployment* const all[] = {&ledger->trial, &ledger->default_deployment, &ledger->previous};
  for (const bootsel::NamedDeployment* named : all) {
    if (named->serial != serial || !named->has_composefs_digest) continue;
    digest = named->composefs;
    return true;
  }
  return false;
}

}  // namespace

bool Trees::Find(Serial serial, Found& found, Problem& why) const {
  Digest digest;
  if (!NamedDigest(ledger_, serial, digest)) {
    found.folder = OpenDirectory(root_, PathOf(kDeployments, "/", serial, "/root").c_str());
    if (found.folder.ok()) return true;
    const int error = errno;
    if (!ReadComposefsDigest(root_, serial, digest)) {
      return why.IsErrno(error, "opening the tree of deployment ", serial);
    }
  }
  found.image = digest;
  return true;
}

bool Trees::MountImage(Serial serial, const Digest& digest, const char* target, ComposefsWay& way, Cause& cause,
                       Problem& why) const {
  const Path path = PathOf(kDeployments, "/", serial, "/root.cfs");
  const Fd image = OpenAt(root_, path.c_str(), O_RDONLY | O_NONBLOCK);
  if (!image.ok()) return why.IsErrno(errno, "opening ", path);
  cause = Cause::kDigest;
  if (!CheckFsVerity(image.get(), digest, path, why)) return false;
  cause = Cause::kMount;
  if (!MakePlace(kImagePlace, why)) return false;
  const Path objects = PathOf(physical_, "/ostree/repo/objects");
  const bool mounted = MountComposefs(
      {.image = image.get(), .name = path.c_str(), .objects = objects.c_str(), .place = kImagePlace, .target = target},
      way, why);
  rmdir(kImagePlace);
  return mounted;
}

bool Trees::Mount(Serial serial, Tree& tree, Cause& cause, Problem& why) const {
  cause = Cause::kMount;
  Found found;
  if (!MakePlace(kNewRoot, why) || !Find(serial, found, why)) return false;
  if (found.image) {
    if (!MountImage(serial, *found.image, kNewRoot, tree.composefs.emplace(), cause, why)) return false;
  } else if (!BindReadOnly(PathOf(physical_, "/", kDeployments, "/", serial, "/root"), kNewRoot)) {
    why.IsErrno(errno, "mounting the tree of deployment ", serial);
    Unmount();
    return false;
  }
  tree.root = OpenDirectory(AT_FDCWD, kNewRoot);
  if (tree.root.ok()) return true;
  why.IsErrno(errno, "opening the tree of deployment ", serial);
  Unmount();
  return false;
}

Fd Trees::Open(Serial serial, Problem& why) const {
  Found found;
  if (!Find(serial, found, why)) return Fd();
  if (!found.image) return std::move(found.folder);
  ComposefsWay way;
  Cause cause = Cause::kMount;
  if (!MakePlace(kOtherTree, why) || !MountImage(serial, *found.image, kOtherTree, way, cause, why)) return Fd();
  Fd tree = OpenDirectory(AT_FDCWD, kOtherTree);
  if (!tree.ok()) why.IsErrno(errno, "opening the tree of deployment ", serial);
  umount2(kOtherTree, MNT_DETACH);
  rmdir(kOtherTree);
  return tree;
}

void Unmount() { umount2(kNewRoot, MNT_DETACH); }

}  // namespace hostapp::initramfs
