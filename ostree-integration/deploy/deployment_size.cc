// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/deployment_size.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <map>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

struct Links {
  uint64_t size = 0;
  uint64_t outside = 0;  // links that have not been met in this tree
};
using Inodes = std::map<ino_t, Links>;

Status MeasureBelow(int parent, const char* name, Inodes& inodes, OpContext& ctx) {
  const UniqueFd dir(::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir.valid()) return SysError(errno, StrCat("opening the folder ", Escape(name)));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir.get(), "."));
  for (const std::string& child : names) {
    struct stat info {};
    if (::fstatat(dir.get(), child.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      return SysError(errno, StrCat("looking at ", Escape(child)));
    }
    if (S_ISDIR(info.st_mode)) {
      TRY(MeasureBelow(dir.get(), child.c_str(), inodes, ctx));
    } else if (S_ISREG(info.st_mode)) {
      const Links first{.size = static_cast<uint64_t>(info.st_size), .outside = info.st_nlink};
      inodes.try_emplace(info.st_ino, first).first->second.outside -= 1;
    }
  }
  return ctx.cancel.Check();
}

}  // namespace

Result<DeploymentSize> MeasureDeployment(const Sysroot& sysroot, DeploymentSerial serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDeploymentDir(sysroot, serial, ctx));
  Inodes inodes;
  TRY(MeasureBelow(dir.get(), "root", inodes, ctx).While("measuring deployment ", serial));
  DeploymentSize size;
  for (const auto& [inode, links] : inodes) {
    size.total += links.size;
    // The store's own link is one.
    if (links.outside <= 1) size.unique += links.size;
  }
  return size;
}

}  // namespace hostapp
