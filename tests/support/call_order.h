// SPDX-License-Identifier: Apache-2.0
// In which order files are made, renamed and synced: FAT asks for one.
#pragma once

#include <fcntl.h>

#include <filesystem>
#include <string>
#include <vector>

#include "hostapp/base/strings.h"
#include "tests/support/faulty_syscalls.h"

namespace hostapp::testing {

class CallOrder : public FaultySyscalls {
 public:
  int OpenAt(int dir, const char* path, int flags, mode_t mode) override {
    if ((flags & O_CREAT) != 0) calls_.push_back(StrCat("make ", path));
    return FaultySyscalls::OpenAt(dir, path, flags, mode);
  }
  int RenameAt(int old_dir, const char* old_path, int new_dir, const char* new_path, unsigned flags) override {
    calls_.push_back(StrCat("rename to ", new_path));
    return FaultySyscalls::RenameAt(old_dir, old_path, new_dir, new_path, flags);
  }
  int Fsync(int fd) override {
    calls_.push_back(StrCat("sync ", NameOf(fd)));
    return FaultySyscalls::Fsync(fd);
  }
  int Syncfs(int fd) override {
    calls_.emplace_back("sync all");
    return FaultySyscalls::Syncfs(fd);
  }
  const std::vector<std::string>& calls() const { return calls_; }

 private:
  static std::string NameOf(int fd) {
    return std::filesystem::read_symlink(StrCat("/proc/self/fd/", fd)).filename().string();
  }
  std::vector<std::string> calls_;
};

}  // namespace hostapp::testing
