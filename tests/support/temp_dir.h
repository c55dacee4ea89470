// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include "hostapp/base/check.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp::testing {

// A folder of its own, gone with its owner.
class TempDir {
 public:
  TempDir() : TempDir(std::getenv("TMPDIR")) {}
  // Below the folder `base`; nullptr: /tmp.
  explicit TempDir(const char* base) {
    path_ = std::string(base != nullptr ? base : "/tmp") + "/hostapp-test-XXXXXX";
    CHECK(::mkdtemp(path_.data()) != nullptr);
    fd_.Reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    CHECK(fd_.valid());
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  int fd() const { return fd_.get(); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace hostapp::testing
