// SPDX-License-Identifier: Apache-2.0
// The trees of the deployments on a physical root.
#pragma once

#include "initramfs/bootsel/ledger.h"
#include "initramfs/helper/files.h"
#include "initramfs/helper/problem.h"

namespace hostapp::initramfs {

inline constexpr const char* kNewRoot = "/run/hostapp/root";

class Trees {
 public:
  // `physical` is the path of the physical root and `root` its descriptor; both must outlive this.
  Trees(const char* physical, int root) : physical_(physical), root_(root) {}

  const char* physical() const { return physical_; }
  int root() const { return root_; }

  // Mounts the tree of a deployment read-only at kNewRoot, and opens it. On false nothing is mounted there.
  bool Mount(bootsel::Serial serial, Fd& tree, Problem& why) const;

  // Opens the tree of another one, to read from it for as long as the descriptor lives.
  Fd Open(bootsel::Serial serial, Problem& why) const;

 private:
  const char* physical_;
  int root_;
};

// Takes down what stands at kNewRoot, with everything mounted below it.
void Unmount();

}  // namespace hostapp::initramfs
