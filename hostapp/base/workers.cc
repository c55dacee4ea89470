// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/workers.h"

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

namespace hostapp {
namespace {

constexpr size_t kWaitingPerThread = 4;
constexpr size_t kMostIndexesInATask = 64;

}  // namespace

Workers::~Workers() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    work_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Workers::Submit(Task task) {
  if (limit_ == 0) return task(0);
  std::unique_lock lock(mutex_);
  const bool all_busy = running_ + waiting_.size() >= threads_.size();
  if (all_busy && threads_.size() < limit_) threads_.emplace_back([this, lane = threads_.size()] { Run(lane); });
  room_.wait(lock, [this] { return waiting_.size() < kWaitingPerThread * threads_.size(); });
  waiting_.push_back(std::move(task));
  work_.notify_one();
}

void Workers::Wait() {
  std::unique_lock lock(mutex_);
  room_.wait(lock, [this] { return waiting_.empty() && running_ == 0; });
}

void Workers::Run(size_t lane) {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    if (waiting_.empty()) return;
    Task task = std::move(waiting_.front());
    waiting_.pop_front();
    ++running_;
    lock.unlock();
    task(lane);
    task = nullptr;  // what it holds goes now, not with the lock held
    lock.lock();
    --running_;
    room_.notify_one();
  }
}

Status ForEachOf(size_t count, Workers& workers, const std::function<Status(size_t index, size_t lane)>& use) {
  std::mutex mutex;
  std::optional<Error> error;
  size_t at = count;  // of the error
  std::atomic<bool> failed = false;
  // Small tasks where there is little to share out: each lane has several.
  const size_t share = std::clamp(count / (4 * workers.lanes()), size_t{1}, kMostIndexesInATask);
  for (size_t begin = 0; begin < count && !failed; begin += share) {
    workers.Submit([&, begin](size_t lane) {
      for (size_t i = begin; i < std::min(count, begin + share) && !failed; ++i) {
        Status status = use(i, lane);
        if (status.ok()) continue;
        const std::lock_guard lock(mutex);
        failed = true;
        if (i < at) error = std::move(status).error();
        at = std::min(at, i);
      }
    });
  }
  workers.Wait();
  return error ? Status(*std::move(error)) : Ok();
}

}  // namespace hostapp
