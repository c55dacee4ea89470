// SPDX-License-Identifier: Apache-2.0
// Objects and refs on their way into the store.
//
// Each is written once, as it streams by, into a private folder on the store's file system, in its final form (owner,
// mode, extended attributes, time 0); nothing of it is in the repository until Publish(). libostree's own calls would
// want the checksum before the content, so that every large file had to be written twice, or hash it again with GLib;
// its transactions sync each of the repository's 256 folders of objects.
#pragma once

#include <time.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

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

struct StagedObject {
  Sha256 id;
  std::string_view extension;
};

class ObjectStage {
 public:
  // Makes the folder `name` in hostapp/tmp, empty: what an interrupted run left of it is removed first. Content beyond
  // what is free now is kNoSpace. The store and `ctx` outlive the stage.
  static Result<ObjectStage> Begin(const ImageStore& store, const std::string& name, OpContext& ctx);
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
  // A tree or folder object, named by the checksum of its bytes.
  Result<Sha256> AddMetadata(OstreeObjectType type, GVariant* variant);
  // A commit, and that `ref` ("hostapp/layer/…") names it.
  Result<Sha256> AddCommit(const CommitFields& fields, const std::string& ref);

  // Makes all of it durable, then gives each its name in the repository: content and trees, then commits, then refs,
  // each durable before the next. A crash in between leaves objects that no commit names, or a commit that no ref
  // names, and whatever is named is whole. On return all is durable.
  Status Publish();

  const StageCounts& counts() const { return counts_; }

 private:
  class StreamSink;
  ObjectStage(const ImageStore& store, std::string name, uint64_t max_bytes, OpContext& ctx)
      : store_(&store), ctx_(&ctx), name_(std::move(name)), max_bytes_(max_bytes) {}

  Status AddStreamed(Inode& inode, uint64_t size, const ReadContent& read);
  Status Budget(uint64_t bytes);
  bool Known(const Sha256& object, std::string_view extension) const;
  void Staged(const Sha256& content);
  Status WriteSmallFile(const std::string& name, ByteSpan bytes);
  Status PublishObjects(const std::vector<StagedObject>& objects);
  Status PublishRefs();
  Status WriteNewFile(const std::string& name, const Inode& inode, ByteSpan content);
  Status Finish(int file, const Inode& inode);
  void Count(const Inode& inode, bool written);

  const ImageStore* store_;
  OpContext* ctx_;
  std::string name_;
  uint64_t max_bytes_;  // of content
  uint64_t used_bytes_ = 0;
  UniqueFd dir_;
  std::unordered_set<Sha256, Sha256Hash> staged_;  // of all kinds
  std::vector<StagedObject> contents_;
  std::vector<StagedObject> trees_;
  std::vector<StagedObject> commits_;
  std::vector<std::string> refs_;  // the n-th is staged as "ref-n"
  StageCounts counts_;
  std::string buffer_;
  composefs::FsVerityHasher verity_;
  Hasher content_hasher_;
  Hasher object_hasher_;
};

}  // namespace hostapp
