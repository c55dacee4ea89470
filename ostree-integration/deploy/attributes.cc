// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/attributes.h"

#include <sys/stat.h>

#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/store/xattrs.h"

namespace hostapp {
namespace {

constexpr const char* kLabel = "security.selinux";

Status Check(int result, std::string_view doing) {
  if (result >= 0) return Ok();
  return SysError(-result, doing);
}

Status MendXattrs(int dir, const Xattrs& wanted, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Xattrs here, ImageXattrs(dir));
  for (const auto& [name, value] : here) {
    if (wanted.contains(name)) continue;
    TRY(Check(ctx.sys.Fremovexattr(dir, name.c_str()), StrCat("removing the extended attribute ", Escape(name))));
  }
  for (const auto& [name, value] : wanted) {
    if (const auto same = here.find(name); same != here.end() && same->second == value) continue;
    TRY(Check(ctx.sys.Fsetxattr(dir, name.c_str(), value.data(), value.size()),
              StrCat("setting the extended attribute ", Escape(name))));
  }
  return Ok();
}

}  // namespace

Result<Xattrs> ImageXattrs(int fd) {
  ASSIGN_OR_RETURN(Xattrs xattrs, ReadXattrs(fd));
  xattrs.erase(kLabel);
  return xattrs;
}

Result<std::string> FolderProblem(int dir, const Inode& wanted) {
  struct stat info {};
  if (::fstat(dir, &info) != 0) return SysError(errno, "looking at a folder");
  if (info.st_uid != wanted.uid || info.st_gid != wanted.gid) return std::string("its owner is not the image's");
  if ((info.st_mode & 07777) != wanted.mode) return std::string("its mode is not the image's");
  ASSIGN_OR_RETURN(const Xattrs xattrs, ImageXattrs(dir));
  return std::string(xattrs == wanted.xattrs ? "" : "its extended attributes are not the image's");
}

Status MendFolder(int dir, const Inode& wanted, OpContext& ctx) {
  // The mode last: an access control list changes it.
  TRY(Check(ctx.sys.Fchown(dir, wanted.uid, wanted.gid), "setting its owner"));
  TRY(MendXattrs(dir, wanted.xattrs, ctx));
  TRY(Check(ctx.sys.Fchmod(dir, wanted.mode), "setting its mode"));
  return SyncDir(dir, ctx.sys);
}

}  // namespace hostapp
