// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/glib/cancellable.h"

#include <chrono>
#include <utility>

namespace hostapp::glib {

Cancellable::Cancellable(CancellationToken token)
    : cancellable_(Adopt(g_cancellable_new())), watcher_([this, token = std::move(token)] { Watch(token); }) {}

Cancellable::~Cancellable() {
  {
    std::lock_guard lock(mutex_);
    end_ = true;
  }
  ended_.notify_one();
  watcher_.join();
}

void Cancellable::Watch(const CancellationToken& token) {
  std::unique_lock lock(mutex_);
  while (!end_) {
    if (token.cancelled()) {
      g_cancellable_cancel(cancellable_.get());
      return;
    }
    ended_.wait_for(lock, std::chrono::milliseconds(100), [this] { return end_; });
  }
}

}  // namespace hostapp::glib
