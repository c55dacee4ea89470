// SPDX-License-Identifier: Apache-2.0
// A folder for work that nobody else sees.
#pragma once

#include <string>
#include <string_view>

#include "hostapp/base/result.h"
#include "hostapp/base/syscalls.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {

// Where temporary files go that may be large: ${TMPDIR}, else /var/tmp.
std::string TempParent();

// Mode 0700; removed with everything in it when its owner goes. A crash leaves it.
class PrivateFolder {
 public:
  // `<parent>/<prefix>` and six characters. `sys` outlives it. kNotFound, kNoSpace, kIo.
  static Result<PrivateFolder> Make(std::string_view parent, std::string_view prefix, Syscalls& sys);
  PrivateFolder(PrivateFolder&&) noexcept = default;
  PrivateFolder& operator=(PrivateFolder&&) = delete;
  ~PrivateFolder();

  int fd() const { return fd_.get(); }

 private:
  PrivateFolder(std::string path, UniqueFd fd, Syscalls& sys)
      : path_(std::move(path)), fd_(std::move(fd)), sys_(&sys) {}

  std::string path_;
  UniqueFd fd_;  // invalid: moved from
  Syscalls* sys_;
};

}  // namespace hostapp
