// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/read_file.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {

Result<std::string> ReadImageFile(const ImageStore& store, std::string_view commit, const std::string& path,
                                  uint64_t max_bytes) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(store, commit, path));
  return ReadFile(AT_FDCWD, StrCat("/proc/self/fd/", fd.get()), max_bytes).While("reading ", Escape(path));
}

}  // namespace hostapp
