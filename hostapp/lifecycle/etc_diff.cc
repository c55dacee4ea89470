// SPDX-License-Identifier: Apache-2.0
// The changes are the overlay's upper folder: what is in it was added or modified, a 0:0 character device marks what
// was removed, and a folder marked opaque hides all that the image has there (Documentation/filesystems/overlayfs.rst).
#include "hostapp/lifecycle/etc_diff.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/store/image_tree.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {
namespace {

struct Walk {
  int upper;
  const Node* lower;  // the image's usr/etc; nullptr when it has none
  std::vector<EtcChange> changes;
};

bool IsWhiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

const Node* InImage(const Walk& walk, const std::string& path) {
  return walk.lower == nullptr ? nullptr : Below(*walk.lower, path);
}

bool IsOpaque(int upper, const std::string& dir) {
  const UniqueFd fd(::openat(upper, dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  char value = 0;
  return fd.valid() && ::fgetxattr(fd.get(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// What the image has in an opaque folder and the deployment has not.
void AddHidden(Walk& walk, const std::string& dir, const std::vector<std::string>& shown) {
  const Node* image = InImage(walk, dir);
  if (dir.empty() || image == nullptr || !IsOpaque(walk.upper, dir)) return;
  for (const auto& [name, child] : image->children) {
    if (std::binary_search(shown.begin(), shown.end(), name)) continue;
    walk.changes.push_back({EtcChange::Kind::kRemoved, StrCat(dir, "/", name)});
  }
}

Status Visit(Walk& walk, const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(walk.upper, dir.empty() ? "." : dir));
  AddHidden(walk, dir, names);
  for (const std::string& name : names) {
    const std::string path = dir.empty() ? name : StrCat(dir, "/", name);
    struct stat info {};
    if (::fstatat(walk.upper, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return SysError(errno, StrCat("looking at ", Escape(path)));
    }
    const Node* image = InImage(walk, path);
    if (IsWhiteout(info)) {
      walk.changes.push_back({EtcChange::Kind::kRemoved, path});
    } else if (image == nullptr) {
      walk.changes.push_back({EtcChange::Kind::kAdded, path});
    } else if (!S_ISDIR(info.st_mode) || !image->is_dir()) {
      walk.changes.push_back({EtcChange::Kind::kModified, path});
    }
    if (S_ISDIR(info.st_mode)) TRY(Visit(walk, path));
  }
  return Ok();
}

}  // namespace

Result<std::vector<EtcChange>> EtcDiff(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Deployment deployment, LoadDeployment(device.sysroot, serial));
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(device.sysroot, serial, ctx));
  if (Exists(dir.get(), "etc/tree")) {
    return Error(Errc::kNotFound,
                 StrCat("the /etc of deployment ", serial,
                        " is a copy, for want of overlayfs: compare its folder etc/tree with the image's usr/etc"));
  }
  if (!Exists(dir.get(), "etc/upper")) return std::vector<EtcChange>();  // it has never booted
  ASSIGN_OR_RETURN(const UniqueFd upper, OpenDir(dir.get(), "etc/upper", ctx.sys));
  ASSIGN_OR_RETURN(const ImageStore store, ImageStore::Open(device.sysroot.root(), ctx));
  ASSIGN_OR_RETURN(const ImageTree tree, ImageTree::Load(store, deployment.manifest_digest, ctx));
  Walk walk{.upper = upper.get(), .lower = Below(tree.root(), "usr/etc"), .changes = {}};
  TRY(Visit(walk, "").While("comparing /etc of deployment ", serial));
  std::sort(walk.changes.begin(), walk.changes.end(),
            [](const EtcChange& a, const EtcChange& b) { return a.path < b.path; });
  return std::move(walk.changes);
}

}  // namespace hostapp
