// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/attributes.h"

#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <climits>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr std::string_view kLabel = "security.selinux";

Status Check(int result, std::string_view doing) {
  if (result >= 0) return Ok();
  return SysError(-result, doing);
}

Result<std::string> ReadXattr(int fd, const std::string& name) {
  std::string value(XATTR_SIZE_MAX, '\0');
  const ssize_t size = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
  if (size < 0) return SysError(errno, StrCat("reading the extended attribute ", Escape(name)));
  value.resize(static_cast<size_t>(size));
  return value;
}

Status MendXattrs(int dir, const Xattrs& wanted, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Xattrs here, ReadXattrs(dir));
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

Result<Xattrs> ReadXattrs(int fd) {
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t length = ::flistxattr(fd, names.data(), names.size());
  if (length < 0 && errno == ENOTSUP) return Xattrs{};
  if (length < 0) return SysError(errno, "listing extended attributes");
  Xattrs out;
  for (const std::string_view name : Split(std::string_view(names).substr(0, static_cast<size_t>(length)), '\0')) {
    if (name.empty() || name == kLabel) continue;
    std::string key(name);
    ASSIGN_OR_RETURN(std::string value, ReadXattr(fd, key));
    out.emplace(std::move(key), std::move(value));
  }
  return out;
}

Result<std::string> FolderProblem(int dir, const Inode& wanted) {
  struct stat info {};
  if (::fstat(dir, &info) != 0) return SysError(errno, "looking at a folder");
  if (info.st_uid != wanted.uid || info.st_gid != wanted.gid) return std::string("its owner is not the image's");
  if ((info.st_mode & 07777) != wanted.mode) return std::string("its mode is not the image's");
  ASSIGN_OR_RETURN(const Xattrs xattrs, ReadXattrs(dir));
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
