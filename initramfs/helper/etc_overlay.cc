// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/etc_overlay.h"

#include <errno.h>
#include <fcntl.h>

#include "initramfs/helper/facts.h"
#include "initramfs/rootfs/files.h"

namespace hostapp::initramfs {
namespace {

using bootsel::Serial;

Path DeploymentPath(Serial serial, std::string_view below) { return PathOf(kDeployments, "/", serial, "/", below); }

Fd OpenImageEtc(int tree, Serial serial, Problem& why) {
  Fd etc = OpenDirectory(tree, "usr/etc");
  if (!etc.ok()) why.IsErrno(errno, "opening /usr/etc of deployment ", serial);
  return etc;
}

// Fills `target` with the changes of `from`: its upper folder, or what its real copy differs from its image in.
bool CopyChanges(const Trees& trees, Serial from, int target, EtcState& state, Problem& why) {
  const Fd copy = OpenDirectory(trees.root(), DeploymentPath(from, "etc/tree").c_str());
  if (copy.ok()) {
    const Fd tree = trees.Open(from, why);
    const Fd image = tree.ok() ? OpenImageEtc(tree.get(), from, why) : Fd();
    return image.ok() && DiffToUpper(image.get(), copy.get(), target, state.stats, why);
  }
  const Fd upper = OpenDirectory(trees.root(), DeploymentPath(from, "etc/upper").c_str());
  if (!upper.ok()) return why.IsErrno(errno, "opening the changes to /etc of deployment ", from);
  return CopyTree(upper.get(), target, CopyKind::kOverlayUpper, state.stats, why);
}

bool HasChanges(int root, Serial serial) {
  return serial != bootsel::kNoSerial && (ExistsAt(root, DeploymentPath(serial, "etc/tree").c_str()) ||
                                          ExistsAt(root, DeploymentPath(serial, "etc/upper").c_str()));
}

// An overlay shows the upper folder's own owner and mode as /etc's, so an empty one takes the image's.
bool TakeImageAttributes(int tree, Serial serial, int target, Problem& why) {
  const Fd image = OpenImageEtc(tree, serial, why);
  if (!image.ok()) return false;
  struct stat info = {};
  if (fstat(image.get(), &info) == 0 && fchmod(target, info.st_mode & 07777) == 0) return true;
  return why.IsErrno(errno, "making /etc of deployment ", serial);
}

// hostapp/tmp: unfinished work that anything may delete.
Fd OpenScratch(int root) {
  if (!EnsureDirectory(root, "hostapp/tmp", 0700)) return Fd();
  return OpenDirectory(root, "hostapp/tmp");
}

}  // namespace

Serial EtcSource(const bootsel::Ledger* ledger, Serial serial) {
  if (ledger == nullptr) return bootsel::kNoSerial;
  Serial from = ledger->default_deployment.serial;
  if (serial == ledger->trial.serial && ledger->trial.etc_from != bootsel::kNoSerial) from = ledger->trial.etc_from;
  return from == serial ? bootsel::kNoSerial : from;
}

bool PrepareEtc(const Trees& trees, int tree, Serial serial, Serial from, EtcState& state, Problem& why) {
  const int root = trees.root();
  if (ExistsAt(root, DeploymentPath(serial, "etc/tree").c_str())) {
    state.form = EtcForm::kCopy;
    return true;
  }
  const Path etc_path = DeploymentPath(serial, "etc");
  if (!EnsureDirectory(root, etc_path.c_str(), 0755)) return why.IsErrno(errno, "making ", etc_path);
  const Fd etc = OpenDirectory(root, etc_path.c_str());
  if (!etc.ok()) return why.IsErrno(errno, "opening ", etc_path);
  if (!EnsureDirectory(etc.get(), "work", 0700)) return why.IsErrno(errno, "making ", etc_path, "/work");
  if (ExistsAt(etc.get(), "upper")) return true;
  const Fd scratch = OpenScratch(root);
  if (!scratch.ok()) return why.IsErrno(errno, "opening hostapp/tmp");
  state.copied = HasChanges(root, from);
  const auto fill = [&](int target) {
    if (!TakeImageAttributes(tree, serial, target, why)) return false;
    return !state.copied || CopyChanges(trees, from, target, state, why);
  };
  return MakeComplete(scratch.get(), PathOf("etc-", serial).c_str(), etc.get(), "upper", fill, why);
}

bool MakeEmptyUpper(int tree, Serial serial, int etc, Problem& why) {
  const Fd upper = EnsureDirectory(etc, "upper", 0755) ? OpenDirectory(etc, "upper") : Fd();
  if (!upper.ok() || fchmod(etc, 0755) != 0) return why.IsErrno(errno, "making /etc of deployment ", serial);
  return TakeImageAttributes(tree, serial, upper.get(), why);
}

bool PrepareEtcCopy(int root, int tree, Serial serial, EtcState& state, Problem& why) {
  state.form = EtcForm::kCopy;
  const Fd etc = OpenDirectory(root, DeploymentPath(serial, "etc").c_str());
  const Fd upper = etc.ok() ? OpenDirectory(etc.get(), "upper") : Fd();
  const Fd image = OpenDirectory(tree, "usr/etc");
  const Fd scratch = OpenScratch(root);
  if (!upper.ok() || !image.ok() || !scratch.ok()) return why.IsErrno(errno, "copying /etc of deployment ", serial);
  const auto fill = [&](int target) { return MergeOverlay(image.get(), upper.get(), target, state.stats, why); };
  return MakeComplete(scratch.get(), PathOf("etc-", serial).c_str(), etc.get(), "tree", fill, why);
}

}  // namespace hostapp::initramfs
