// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "hostapp/base/check.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp::cli {

// A descriptor that remembers what is written to it.
class Captured {
 public:
  Captured() : fd_(::memfd_create("captured", MFD_CLOEXEC)) { CHECK(fd_.valid()); }

  int fd() const { return fd_.get(); }
  std::string text() const {
    std::string text(static_cast<size_t>(::lseek(fd_.get(), 0, SEEK_CUR)), '\0');
    CHECK(::pread(fd_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
    return text;
  }

 private:
  UniqueFd fd_;
};

}  // namespace hostapp::cli
