// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/xattrs.h"

#include <sys/xattr.h>

#include <cerrno>
#include <climits>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

Result<std::string> ReadXattr(int fd, const std::string& name) {
  std::string value(XATTR_SIZE_MAX, '\0');
  const ssize_t size = ::fgetxattr(fd, name.c_str(), value.data(), value.size());
  if (size < 0) return SysError(errno, StrCat("reading the extended attribute ", Escape(name)));
  value.resize(static_cast<size_t>(size));
  return value;
}

}  // namespace

Result<Xattrs> ReadXattrs(int fd) {
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t length = ::flistxattr(fd, names.data(), names.size());
  if (length < 0 && errno == ENOTSUP) return Xattrs{};
  if (length < 0) return SysError(errno, "listing extended attributes");
  Xattrs out;
  for (const std::string_view name : Split(std::string_view(names).substr(0, static_cast<size_t>(length)), '\0')) {
    if (name.empty()) continue;
    std::string key(name);
    ASSIGN_OR_RETURN(std::string value, ReadXattr(fd, key));
    out.emplace(std::move(key), std::move(value));
  }
  return out;
}

}  // namespace hostapp
