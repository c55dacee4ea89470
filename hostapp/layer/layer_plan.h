// SPDX-License-Identifier: Apache-2.0
// Which path goes into which layer. Pure: a function of the tree alone.
//
// A release should send what changed and nothing else. A layer is sent whole, so files that change together belong
// together, and a file must not wander to another layer because something else was added: every group (a Debian
// package, or where there is no package database, a folder) is assigned by a hash of its name.
//
// With N layers: the kernel with its modules and boot files is one, N-2 are hash buckets of groups, and the last one
// has what belongs to no package, and every folder with its true time. In the others a folder stands only where
// something is below it, with its owner and mode (layers are unpacked one by one by some tools) and the time 0: its
// true time changes whenever anything is added to it. Empty layers are left out. With 1 layer everything is in it, with
// 2 there are no buckets: packages are one, the rest is the other.
#pragma once

#include <string>
#include <vector>

#include "hostapp/layer/rootfs_tree.h"

namespace hostapp {

inline constexpr int kMaxPackLayers = 127;  // what containers' overlay drivers take

struct PlannedMember {
  std::string path;
  std::shared_ptr<const RootfsInode> inode;
  std::string hardlink_to;   // not empty: another name of that path's inode, which stands earlier in the same layer
  bool only_parent = false;  // a folder that is here for what is below it: time 0
};

struct PlannedLayer {
  std::string comment;                 // for people: "kernel", "packages 3", "rest"
  std::vector<PlannedMember> members;  // sorted by the bytes of their paths, whiteouts among them
};

// Lowest layer first; at least one. `layers` is 1..kMaxPackLayers. The package database is read from the tree's content
// (*.list in
// var/lib/dpkg/info or usr/lib/sysimage/dpkg/info); an unreadable one is an error of its reader.
Result<std::vector<PlannedLayer>> PlanLayers(const RootfsTree& tree, int layers);

}  // namespace hostapp
