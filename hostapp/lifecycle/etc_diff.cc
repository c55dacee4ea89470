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

namespace hostapp {
namespace {

struct Walk {
  int upper;
  int lower;  // the image's usr/etc; -1 when it has none
  std::vector<EtcChange> changes;
};

bool IsWhiteout(const struct stat& info) { return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0); }

bool IsFolder(int dir, const std::string& path) {
  struct stat info {};
  return ::fstatat(dir, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode);
}

bool IsOpaque(int upper, const std::string& dir) {
  const UniqueFd fd(::openat(upper, dir.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  char value = 0;
  return fd.valid() && ::fgetxattr(fd.get(), "trusted.overlay.opaque", &value, 1) == 1 && value == 'y';
}

// What the image has in an opaque folder and the deployment has not.
Status AddHidden(Walk& walk, const std::string& dir, const std::vector<std::string>& shown) {
  if (dir.empty() || walk.lower < 0 || !IsFolder(walk.lower, dir) || !IsOpaque(walk.upper, dir)) return Ok();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(walk.lower, dir));
  for (const std::string& name : names) {
    if (std::binary_search(shown.begin(), shown.end(), name)) continue;
    walk.changes.push_back({EtcChange::Kind::kRemoved, StrCat(dir, "/", name)});
  }
  return Ok();
}

Status Visit(Walk& walk, const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(walk.upper, dir.empty() ? "." : dir));
  TRY(AddHidden(walk, dir, names));
  for (const std::string& name : names) {
    const std::string path = dir.empty() ? name : StrCat(dir, "/", name);
    struct stat info {};
    if (::fstatat(walk.upper, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return SysError(errno, StrCat("looking at ", Escape(path)));
    }
    const bool in_image = walk.lower >= 0 && Exists(walk.lower, path);
    if (IsWhiteout(info)) {
      walk.changes.push_back({EtcChange::Kind::kRemoved, path});
    } else if (!in_image) {
      walk.changes.push_back({EtcChange::Kind::kAdded, path});
    } else if (!S_ISDIR(info.st_mode) || !IsFolder(walk.lower, path)) {
      walk.changes.push_back({EtcChange::Kind::kModified, path});
    }
    if (S_ISDIR(info.st_mode)) TRY(Visit(walk, path));
  }
  return Ok();
}

}  // namespace

Result<std::vector<EtcChange>> EtcDiff(const Device& device, DeploymentSerial serial, OpContext& ctx) {
  TRY(LoadDeployment(device.sysroot, serial).status());
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(device.sysroot, serial, ctx));
  if (Exists(dir.get(), "etc/tree")) {
    return Error(Errc::kNotFound,
                 StrCat("the /etc of deployment ", serial,
                        " is a copy, for want of overlayfs: compare its folder etc/tree with root/usr/etc"));
  }
  if (!Exists(dir.get(), "etc/upper")) return std::vector<EtcChange>();  // it has never booted
  ASSIGN_OR_RETURN(const UniqueFd upper, OpenDir(dir.get(), "etc/upper", ctx.sys));
  const UniqueFd lower(::openat(dir.get(), "root/usr/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Walk walk{.upper = upper.get(), .lower = lower.get(), .changes = {}};
  TRY(Visit(walk, "").While("comparing /etc of deployment ", serial));
  std::sort(walk.changes.begin(), walk.changes.end(),
            [](const EtcChange& a, const EtcChange& b) { return a.path < b.path; });
  return std::move(walk.changes);
}

}  // namespace hostapp
