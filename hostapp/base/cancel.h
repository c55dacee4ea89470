// SPDX-License-Identifier: Apache-2.0
// Asking an operation to stop.
#pragma once

#include <atomic>
#include <memory>

#include "hostapp/base/result.h"

namespace hostapp {

// Copies share one state. Checked between blobs, files and chunks; ignored after an operation's commit point.
class CancellationToken {
 public:
  CancellationToken() : cancelled_(std::make_shared<std::atomic<bool>>(false)) {}

  void Cancel() const { cancelled_->store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_->load(std::memory_order_relaxed); }
  Status Check() const {
    if (cancelled()) return Error(Errc::kCancelled, "cancelled");
    return Ok();
  }

 private:
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

}  // namespace hostapp
