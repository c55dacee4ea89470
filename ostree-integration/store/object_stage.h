// SPDX-License-Identifier: Apache-2.0
// Content objects on their way into the store.
//
// Each is written once, as it streams by, into a private folder on the store's file system, in its final form (owner,
// mode, extended attributes, time 0); nothing of it is in the repository until Publish(). libostree's own calls would
// want the checksum before the content, so that every large file had to be written twice, or hash it again with GLib.
#pragma once

#include <time.h>

#include <array>
#include <cstdint>
#include <string>
#include <unordered_set>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"
#include "ostree-integration/composefs/fs_verity.h"
#include "ostree-integration/store/inode.h"
#include "ostree-integration/store/store_impl.h"

namespace hostapp {

// libostree gives every object the time 0, so that a checkout says nothing about when it was made.
constexpr std::array<timespec, 2> kNoTime{};

struct StageCounts {
  uint64_t written_objects = 0;
  uint64_t written_bytes = 0;
  uint64_t reused_objects = 0;
  uint64_t reused_bytes = 0;
};

class ObjectStage {
 public:
  // Makes the folder `name` in hostapp/tmp, empty: what an interrupted run left of it is removed first. `max_bytes`:
  // how much content may be written before it is kNoSpace. The store and `ctx` outlive the stage.
  static Result<ObjectStage> Begin(const ImageStore& store, const std::string& name, uint64_t max_bytes,
                                   OpContext& ctx);
  ObjectStage(ObjectStage&&) noexcept = default;
  ObjectStage& operator=(ObjectStage&&) = delete;
  // Removes the folder and what was not published.
  ~ObjectStage();

  // Takes a file: `inode` has everything but size and hashes, which are filled in. `read` fills the front of a buffer
  // with content and returns 0 at the end; `size` is what it will give in all.
  using ReadContent = std::function<Result<size_t>(MutableByteSpan)>;
  Status AddFile(Inode& inode, uint64_t size, const ReadContent& read);
  // A file whose content is in memory.
  Status AddFile(Inode& inode, ByteSpan content);
  // The same for a source that writes: `write` gives the sink exactly `size` bytes. Meant for large content.
  Status AddWritten(Inode& inode, uint64_t size, const std::function<Status(ByteSink&)>& write);
  Status AddSymlink(Inode& inode);

  // Makes all content durable, then gives each object its name in the repository.
  Status Publish();

  const StageCounts& counts() const { return counts_; }

 private:
  class StreamSink;
  ObjectStage(const ImageStore& store, std::string name, uint64_t max_bytes, OpContext& ctx)
      : store_(&store), ctx_(&ctx), name_(std::move(name)), max_bytes_(max_bytes) {}

  Status AddStreamed(Inode& inode, uint64_t size, const ReadContent& read);
  Status Budget(uint64_t bytes);
  bool Known(const Sha256& object) const;
  Status WriteNewFile(const std::string& name, const Inode& inode, ByteSpan content);
  Status Finish(int file, const Inode& inode);
  void Count(const Inode& inode, bool written);

  const ImageStore* store_;
  OpContext* ctx_;
  std::string name_;
  uint64_t max_bytes_;
  uint64_t used_bytes_ = 0;
  UniqueFd dir_;
  std::unordered_set<Sha256, Sha256Hash> staged_;
  StageCounts counts_;
  std::string buffer_;
  composefs::FsVerityHasher verity_;
  Hasher content_hasher_;
  Hasher object_hasher_;
};

}  // namespace hostapp
