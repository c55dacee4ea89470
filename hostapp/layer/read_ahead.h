// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "hostapp/layer/tar_reader.h"

namespace hostapp {

// A source that is read by a thread of its own, a few chunks ahead: decompressing and hashing beside what the reader
// does. Gives the same bytes and ends with the same error. `below` outlives it and belongs to the thread until Read()
// has given the end or an error; nothing of it may be looked at before.
class ReadAhead : public ByteSource {
 public:
  explicit ReadAhead(ByteSource& below);
  // Waits for a call of `below` that is under way.
  ~ReadAhead() override;
  ReadAhead(const ReadAhead&) = delete;
  ReadAhead& operator=(const ReadAhead&) = delete;

  Result<size_t> Read(MutableByteSpan buffer) override;

 private:
  static constexpr size_t kChunks = 4;
  static constexpr size_t kChunkBytes = size_t{256} << 10;
  struct Chunk {
    std::string bytes;
    size_t size = 0;
  };

  void Run();
  bool NextChunk();

  ByteSource& below_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<Chunk, kChunks> ring_;  // the n-th chunk is at n % kChunks; the thread's until it counts as filled
  size_t filled_ = 0;                // chunks in all
  size_t emptied_ = 0;
  std::optional<Status> end_;  // after the last chunk
  bool stopped_ = false;
  size_t offset_ = 0;  // the reader's, in its chunk
  std::thread thread_;
};

}  // namespace hostapp
