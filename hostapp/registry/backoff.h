// SPDX-License-Identifier: Apache-2.0
// How often, and after which pause, something is tried again.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "hostapp/base/op_context.h"
#include "hostapp/registry/registry.h"

namespace hostapp {

class Backoff {
 public:
  explicit Backoff(const RetryPolicy& policy) : policy_(policy) {}

  // Waits before another attempt: half to all of a pause that doubles each time, or what the server asked for, up to
  // the policy's caps. False: there were enough. kCancelled.
  Result<bool> WaitForAnother(std::optional<uint64_t> retry_after_seconds, OpContext& ctx);
  // The last attempt brought something: the count begins anew, and the next attempt comes at once.
  void NoteProgress();
  int attempts() const { return attempts_; }

 private:
  std::chrono::milliseconds NextPause(std::optional<uint64_t> retry_after_seconds) const;

  const RetryPolicy& policy_;
  int failures_ = 0;  // in a row, without progress
  bool progress_ = false;
  int attempts_ = 1;
};

}  // namespace hostapp
