// SPDX-License-Identifier: Apache-2.0
// The changes are the overlay's upper folder: what is in it was added or modified, a 0:0 character device marks what
// was removed (Documentation/filesystems/overlayfs.rst).
#include "hostapp/lifecycle/etc_diff.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

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

Status Visit(Walk& walk, const std::string& dir) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(walk.upper, dir.empty() ? "." : dir));
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
    } else if (!S_ISDIR(info.st_mode)) {
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
  ASSIGN_OR_RETURN(const UniqueFd upper, OpenDir(dir.get(), "etc/upper", ctx.sys));
  const UniqueFd lower(::openat(dir.get(), "root/usr/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Walk walk{.upper = upper.get(), .lower = lower.get(), .changes = {}};
  TRY(Visit(walk, "").While("comparing /etc of deployment ", serial));
  return std::move(walk.changes);
}

}  // namespace hostapp
