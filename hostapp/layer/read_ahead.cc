// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/read_ahead.h"

#include <algorithm>
#include <cstring>

namespace hostapp {

ReadAhead::ReadAhead(ByteSource& below) : below_(below) {
  for (Chunk& chunk : ring_) chunk.bytes.resize(kChunkBytes);
  thread_ = std::thread([this] { Run(); });
}

ReadAhead::~ReadAhead() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void ReadAhead::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopped_ || filled_ - emptied_ < kChunks; });
    if (stopped_) return;
    Chunk& chunk = ring_[filled_ % kChunks];
    lock.unlock();
    chunk.size = 0;
    Status status = Ok();
    bool end = false;
    while (chunk.size < kChunkBytes && !end) {
      const Result<size_t> got = below_.Read(std::as_writable_bytes(std::span(chunk.bytes)).subspan(chunk.size));
      if (!got.ok()) status = got.error();
      end = !got.ok() || *got == 0;
      if (got.ok()) chunk.size += *got;
    }
    lock.lock();
    if (chunk.size > 0) ++filled_;
    if (end) end_ = std::move(status);
    changed_.notify_all();
    if (end) return;
  }
}

// Waits until there is a chunk to read from; false: there is none any more.
bool ReadAhead::NextChunk() {
  std::unique_lock lock(mutex_);
  if (filled_ > emptied_ && offset_ == ring_[emptied_ % kChunks].size) {
    ++emptied_;
    offset_ = 0;
    changed_.notify_all();
  }
  changed_.wait(lock, [this] { return filled_ > emptied_ || end_; });
  return filled_ > emptied_;
}

Result<size_t> ReadAhead::Read(MutableByteSpan buffer) {
  const bool in_chunk = offset_ > 0 && offset_ < ring_[emptied_ % kChunks].size;
  if (!in_chunk && !NextChunk()) {
    TRY(Status(*end_));
    return size_t{0};
  }
  const Chunk& chunk = ring_[emptied_ % kChunks];
  const size_t size = std::min(buffer.size(), chunk.size - offset_);
  std::memcpy(buffer.data(), chunk.bytes.data() + offset_, size);
  offset_ += size;
  return size;
}

}  // namespace hostapp
