// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/backoff.h"

#include <algorithm>
#include <random>

namespace hostapp {
namespace {

using std::chrono::milliseconds;

double RandomFraction() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// In pieces, so that nobody who asks us to stop waits for a minute.
Status SleepUnlessCancelled(milliseconds pause, OpContext& ctx) {
  constexpr milliseconds kPiece{200};
  for (milliseconds left = pause; left.count() > 0; left -= kPiece) {
    TRY(ctx.cancel.Check());
    ctx.clock.Sleep(std::min(left, kPiece));
  }
  return ctx.cancel.Check();
}

}  // namespace

milliseconds Backoff::NextPause(std::optional<uint64_t> retry_after_seconds) const {
  const int doublings = std::min(std::max(failures_ - 1, 0), 20);
  const milliseconds full = std::min(policy_.first_pause * (1 << doublings), policy_.longest_pause);
  const double fraction = policy_.jitter ? policy_.jitter() : RandomFraction();
  // Many devices that lost the same server must not come back in step.
  milliseconds pause(static_cast<int64_t>(static_cast<double>(full.count()) * (0.5 + 0.5 * fraction)));
  if (retry_after_seconds) {
    const auto cap = static_cast<uint64_t>(policy_.longest_retry_after.count());
    const uint64_t asked = *retry_after_seconds > cap / 1000 ? cap : *retry_after_seconds * 1000;
    pause = std::max(pause, milliseconds(static_cast<int64_t>(asked)));
  }
  return pause;
}

Result<bool> Backoff::WaitForAnother(std::optional<uint64_t> retry_after_seconds, OpContext& ctx) {
  TRY(ctx.cancel.Check());
  const bool at_once = progress_ && !retry_after_seconds;
  if (progress_) {
    failures_ = 0;
    progress_ = false;
  } else if (++failures_ >= policy_.attempts) {
    return false;
  }
  if (!at_once) TRY(SleepUnlessCancelled(NextPause(retry_after_seconds), ctx));
  ++attempts_;
  return true;
}

void Backoff::NoteProgress() { progress_ = true; }

}  // namespace hostapp
