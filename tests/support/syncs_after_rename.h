// SPDX-License-Identifier: Apache-2.0
// What is synced after the last rename, and in which order: FAT asks for one.
#pragma once

#include <sys/stat.h>

#include <vector>

#include "tests/support/faulty_syscalls.h"

namespace hostapp::testing {

class SyncsAfterRename : public FaultySyscalls {
 public:
  int RenameAt(int old_dir, const char* old_path, int new_dir, const char* new_path, unsigned flags) override {
    synced_.clear();
    return FaultySyscalls::RenameAt(old_dir, old_path, new_dir, new_path, flags);
  }
  int Fsync(int fd) override {
    struct stat info {};
    if (::fstat(fd, &info) == 0) synced_.push_back(info.st_ino);
    return FaultySyscalls::Fsync(fd);
  }
  int Syncfs(int fd) override {
    synced_.push_back(0);
    return FaultySyscalls::Syncfs(fd);
  }
  // The numbers of the inodes; 0 for a whole file system.
  const std::vector<ino_t>& synced() const { return synced_; }

 private:
  std::vector<ino_t> synced_;
};

// Of what is at `path`.
inline ino_t InodeOf(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace hostapp::testing
