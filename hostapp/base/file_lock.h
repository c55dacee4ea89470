// SPDX-License-Identifier: Apache-2.0
// A lock on a file, held by an open file description: gone with its holder, however that ends.
#pragma once

#include <string_view>

#include "hostapp/base/cancel.h"
#include "hostapp/base/result.h"
#include "hostapp/base/syscalls.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {

class FileLock {
 public:
  enum class Wait { kNo, kYes };

  // Locks the file `name` in `dir` for itself alone, making it when missing. kBusy when another process has it and
  // `wait` is kNo; kCancelled when asked to stop while waiting.
  static Result<FileLock> Acquire(int dir, std::string_view name, Wait wait, const CancellationToken& cancel,
                                  Syscalls& sys);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace hostapp
