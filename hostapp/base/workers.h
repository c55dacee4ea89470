// SPDX-License-Identifier: Apache-2.0
// Threads that one operation shares its work out to.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "hostapp/base/result.h"

namespace hostapp {

// Owned and used by one thread. Tasks must not throw, and report what goes wrong by themselves.
class Workers {
 public:
  // Is told which of the lanes runs it: what a lane has for itself needs no lock.
  using Task = std::function<void(size_t lane)>;

  // `jobs` as in OpContext: up to 1, every task runs at once, in the caller, so that the order of events is always the
  // same. A thread is started when those that there are have something to do.
  explicit Workers(size_t jobs) : limit_(jobs > 1 ? jobs : 0) {}
  // What was submitted still runs.
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // At least 1.
  size_t lanes() const { return std::max<size_t>(1, limit_); }
  // Waits while a few tasks for each thread are waiting already.
  void Submit(Task task);
  // Until everything that was submitted has ended.
  void Wait();

 private:
  void Run(size_t lane);

  const size_t limit_;
  std::mutex mutex_;
  std::condition_variable work_;  // for threads: a task, or the end
  std::condition_variable room_;  // for the owner: fewer tasks
  std::deque<Task> waiting_;
  size_t running_ = 0;
  bool ended_ = false;
  std::vector<std::thread> threads_;
};

// Calls `use` for 0 to `count` - 1, at most a few dozen in a task, and waits for all. After an error no more are begun;
// of several errors, that of the smallest index.
Status ForEachOf(size_t count, Workers& workers, const std::function<Status(size_t index, size_t lane)>& use);

}  // namespace hostapp
