// SPDX-License-Identifier: Apache-2.0
// A GCancellable that follows a CancellationToken: for library calls that can take long.
#pragma once

#include <gio/gio.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "hostapp/base/cancel.h"
#include "ostree-integration/glib/handles.h"

namespace hostapp::glib {

// Looks at the token ten times a second from a thread of its own, for as long as it lives.
class Cancellable {
 public:
  explicit Cancellable(CancellationToken token);
  ~Cancellable();
  Cancellable(const Cancellable&) = delete;
  Cancellable& operator=(const Cancellable&) = delete;

  operator GCancellable*() { return cancellable_.get(); }  // NOLINT: it is passed as one

 private:
  void Watch(const CancellationToken& token);

  ObjectPtr<GCancellable> cancellable_;
  std::mutex mutex_;
  std::condition_variable ended_;
  bool end_ = false;
  std::thread watcher_;
};

}  // namespace hostapp::glib
