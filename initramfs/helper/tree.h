// SPDX-License-Identifier: Apache-2.0
// The trees of the deployments on a physical root, of either kind: a checkout in the folder deployments/<serial>/root,
// or the composefs image deployments/<serial>/root.cfs, whose files' contents are the store's objects.
//
// An image is mounted only with the digest that the ledger has for the deployment or, where the ledger has none (it was
// lost, or does not name the deployment), deployment.json. A digest in the ledger means an image: nothing else will do.
#pragma once

#include <optional>

#include "initramfs/bootsel/ledger.h"
#include "initramfs/rootfs/composefs_root.h"
#include "initramfs/rootfs/files.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

inline constexpr const char* kNewRoot = "/run/hostapp/root";

struct Tree {
  Fd root;
  std::optional<ComposefsWay> composefs;  // nothing: a checkout
};

class Trees {
 public:
  // `physical` is the path of the physical root and `root` its descriptor; `ledger` is null when it is lost. All must
  // outlive this.
  Trees(const char* physical, int root, const bootsel::Ledger* ledger)
      : physical_(physical), root_(root), ledger_(ledger) {}

  const char* physical() const { return physical_; }
  int root() const { return root_; }

  // Mounts the tree of a deployment read-only at kNewRoot, and opens it. On false nothing is mounted there, and `cause`
  // is kDigest where it is the image that is not the right one, otherwise kMount.
  bool Mount(bootsel::Serial serial, Tree& tree, bootsel::Cause& cause, Problem& why) const;

  // Opens the tree of another deployment, to read from it for as long as the descriptor lives.
  Fd Open(bootsel::Serial serial, Problem& why) const;

 private:
  struct Found {
    Fd folder;
    std::optional<bootsel::Digest> image;  // nothing: it is the folder
  };
  bool Find(bootsel::Serial serial, Found& found, Problem& why) const;
  bool MountImage(bootsel::Serial serial, const bootsel::Digest& digest, const char* target, ComposefsWay& way,
                  bootsel::Cause& cause, Problem& why) const;

  const char* physical_;
  int root_;
  const bootsel::Ledger* ledger_;
};

// Takes down what stands at kNewRoot, with everything mounted below it.
void Unmount();

}  // namespace hostapp::initramfs
