// SPDX-License-Identifier: Apache-2.0
// What a layer's members mean: whiteouts, what is kept, what is dropped and counted, what is refused. Pure functions of
// one member; what needs several of them (links through folders, targets, merging) is the importer's.
//
// In this order: ClassifyWhiteout(), CheckHostEntry(), ReasonToDrop(), FilterXattrs().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/layer/tar_reader.h"

namespace hostapp {

struct Whiteout {
  enum class Kind {
    kNone,    // an ordinary member
    kHide,    // "d/.wh.x" hides what lower layers have at "d/x"
    kOpaque,  // "d/.wh..wh..opq" hides what lower layers have below "d", and nothing of this layer, wherever it stands
  };
  Kind kind = Kind::kNone;
  std::string path;  // kHide: what is hidden; kOpaque: the folder, "" for the root
};

// kCorrupt, as all of these are read in several ways or write below a name that must not be:
//   - ".wh.", ".wh.." and ".wh...": they would hide nothing, the folder itself, or the one above;
//   - ".wh..wh." with anything but ".opq": aufs's own files;
//   - a folder named like a whiteout ("d/.wh.x/y"), and a hard link to one;
//   - a whiteout that is no regular file, or is not empty;
//   - a character device 0:0, overlayfs's form of a whiteout.
Result<Whiteout> ClassifyWhiteout(const TarEntry& entry);

// kCorrupt where a host image would bring a file or a link for one of the folders that a deployment is made of: etc,
// usr, var, sysroot, boot, dev, proc, sys, run. "ostree" may be a folder or bootc's link to "sysroot/ostree".
Status CheckHostEntry(const TarEntry& entry);

// Why the member is left out, for the list that people get; nothing: it is kept. Left out are device nodes, FIFOs and
// all that is below (not: at) dev, proc, sys, run and tmp, which are mounted over.
std::optional<std::string_view> ReasonToDrop(const TarEntry& entry);

struct FilteredXattrs {
  std::map<std::string, std::string, std::less<>> kept;
  std::vector<std::string> dropped;  // names, to be counted and listed
};

// kept:    user.* on files and folders; security.capability on files; system.posix_acl_access on files and folders;
//          system.posix_acl_default on folders.
// dropped: these on other types; security.selinux (a label comes from the device's policy); all other names, as
//          security.ima, security.evm, trusted.*.
// kCorrupt: trusted.overlay.* and user.overlay.*, which overlayfs would obey; a capability that is no version 2 or 3;
// an
//          access list that the kernel would refuse (version, order of its entries, a mask missing).
Result<FilteredXattrs> FilterXattrs(const TarEntry& entry);

}  // namespace hostapp
