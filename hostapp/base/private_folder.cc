// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/private_folder.h"

#include <fcntl.h>
#include <stdlib.h>

#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {

std::string TempParent() {
  const char* named = ::secure_getenv("TMPDIR");
  return named != nullptr && *named != '\0' ? named : "/var/tmp";
}

Result<PrivateFolder> PrivateFolder::Make(std::string_view parent, std::string_view prefix, Syscalls& sys) {
  std::string path = StrCat(parent, "/", prefix, "XXXXXX");
  if (::mkdtemp(path.data()) == nullptr) return SysError(errno, StrCat("making a folder in ", Escape(parent)));
  Result<UniqueFd> fd = OpenDir(AT_FDCWD, path, sys);
  if (!fd.ok()) return std::move(fd).error();
  return PrivateFolder(std::move(path), *std::move(fd), sys);
}

PrivateFolder::~PrivateFolder() {
  if (fd_.valid()) (void)RemoveTree(AT_FDCWD, path_, *sys_);
}

}  // namespace hostapp
