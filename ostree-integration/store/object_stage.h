// SPDX-License-Identifier: Apache-2.0
// Objects and refs on their way into the store.
//
// Each is written once, as it streams by, into a private folder on the store's file system, in its final form (owner,
// mode, extended attributes, time 0); nothing of it is in the repository until Publish(). libostree's own calls would
// want the checksum before the content, so that every large file had to be written twice, or hash it again with GLib;
// its transactions sync each of the repository's 256 folders of objects.
//
// Small files are hashed and written together, a batch at a time; with `ctx.jobs` above 1 by as many threads, out of
// order, while one more thread has the disk write what is there already: an inode's hashes are there after Settle().
// Memory: a few batches of 256 KiB for each thread, and two pieces of 1 MiB of a large file.
#pragma once

#include <time.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"
#include "hostapp/base/workers.h"
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

  StageCounts operator-(const StageCounts& before) const {
    return {.written_objects = written_objects - before.written_objects,
            .written_bytes = written_bytes - before.written_bytes,
            .reused_objects = reused_objects - before.reused_objects,
            .reused_bytes = reused_bytes - before.reused_bytes};
  }
};

struct StagedObject {
  Sha256 id;
  std::string_view extension;
};

class ObjectStage {
 public:
  // Makes the folder `name` in hostapp/tmp, empty: what an interrupted run left of it is removed first. Content beyond
  // what is free now is kNoSpace. Until its end nobody prunes: what it found in the store stays there. What is in
  // `damaged` it takes for missing, and Publish() replaces it. The store and `ctx` outlive the stage.
  static Result<std::unique_ptr<ObjectStage>> Begin(const ImageStore& store, const std::string& name, ObjectSet damaged,
                                                    OpContext& ctx);
  // Removes the folder and what was not published.
  ~ObjectStage();
  ObjectStage(const ObjectStage&) = delete;
  ObjectStage& operator=(const ObjectStage&) = delete;

  // Takes a file: `inode` has everything but size and hashes, which are filled in until Settle(). `read` fills the
  // front of a buffer with content and returns 0 at the end; `size` is what it will give in all. Errors name `path`;
  // they can be those of a file before.
  using ReadContent = std::function<Result<size_t>(MutableByteSpan)>;
  Status AddFile(std::shared_ptr<Inode> inode, std::string_view path, uint64_t size, const ReadContent& read);
  // Until all files have their hashes and are staged. Of several errors, that of the file that was added first.
  Status Settle();

  // A file from a source that writes: `write` gives the sink exactly `size` bytes. `inode` is whole on return.
  Status AddWritten(Inode& inode, uint64_t size, const std::function<Status(ByteSink&)>& write);
  Status AddSymlink(Inode& inode);
  // A tree or folder object, named by the checksum of its bytes. kCorrupt: it has more than OSTree reads.
  Result<Sha256> AddMetadata(OstreeObjectType type, ByteSpan bytes);
  // A commit, and that `ref` ("hostapp/layer/…") names it: all that was staged before belongs to it or to another
  // commit. After Settle().
  Result<Sha256> AddCommit(const CommitFields& fields, const std::string& ref);

  // Makes all of it durable, then gives each its name in the repository: content and trees, then commits, then refs,
  // each durable before the next. A crash in between leaves objects that no commit names, or a commit that no ref
  // names, and whatever is named is whole. On return all is durable.
  Status Publish();

  // After Settle().
  const StageCounts& counts() const { return counts_; }

 private:
  // What a lane needs to hash a file.
  struct Hashers {
    composefs::FsVerityHasher verity;
    Hasher content;
    Hasher object;
  };
  // Small files on their way to a lane, their content one after the other.
  struct Batch {
    struct File {
      std::shared_ptr<Inode> inode;
      std::string path;
      uint64_t order;
      MutableByteSpan content;
    };
    std::unique_ptr<std::byte[]> content;
    size_t used = 0;
    std::vector<File> files;
  };
  class StreamSink;
  ObjectStage(const ImageStore& store, RepoLock lock, std::string name, ObjectSet damaged, uint64_t max_bytes,
              OpContext& ctx);

  Status AddSmallFile(std::shared_ptr<Inode> inode, std::string_view path, uint64_t size, const ReadContent& read);
  Status AddLargeFile(Inode& inode, uint64_t size, const ReadContent& read);
  void SubmitBatch();
  void HashAndWriteAll(const Batch& batch, Hashers& hashers);
  Status HashAndWrite(Inode& inode, ByteSpan content, Hashers& hashers);
  Status AddStreamed(Inode& inode, uint64_t size, const std::function<Status(int file)>& stream);
  Status StreamChunk(int file, ByteSpan bytes);
  void StartWriting(uint64_t bytes);
  void Fail(uint64_t order, Error error);
  Status FirstError();
  Status Budget(uint64_t bytes);
  bool Known(const Sha256& object, std::string_view extension);
  // Whether it is this call that has to write the content object `inode` names; counts it.
  bool Claim(const Inode& inode);
  Status WriteNewFile(const std::string& name, const Inode& inode, ByteSpan content);
  Status WriteSmallFile(const std::string& name, ByteSpan bytes);
  Status Finish(int file, const Inode& inode);
  Status EnableVerityOfContents();
  Status PublishObjects(std::span<const StagedObject> objects);
  Status PublishRefs();

  const ImageStore& store_;
  const RepoLock lock_;
  OpContext& ctx_;
  const std::string name_;
  const ObjectSet damaged_;   // in the store
  const uint64_t max_bytes_;  // of content
  UniqueFd dir_;
  uint64_t files_ = 0;  // added in all
  Batch batch_;
  uint64_t unwritten_bytes_ = 0;  // added since the disk was last told to write
  std::atomic<bool> writing_ = false;
  Status written_;  // the writer's; the kernel tells of an error once

  std::mutex mutex_;  // for what follows, as long as files are on their way
  uint64_t used_bytes_ = 0;
  ObjectSet staged_;  // of all kinds
  std::vector<StagedObject> contents_;
  std::vector<Sha256> with_verity_;  // of contents_, those that get fs-verity
  StageCounts counts_;
  std::optional<Error> error_;
  uint64_t error_order_ = 0;

  ObjectSet known_trees_;  // staged, or in the store: most folders are alike
  std::vector<StagedObject> trees_;
  std::vector<StagedObject> commits_;
  std::vector<std::string> refs_;  // the n-th is staged as "ref-n"
  // What was there when a ref was last staged, the only objects that are published: a commit whose ref could not be
  // written is none of them, like its trees.
  struct Named {
    size_t contents = 0, trees = 0, commits = 0;
  } named_;
  std::vector<Hashers> hashers_;  // one a lane
  Hashers stream_hashers_;
  std::array<std::string, 2> stream_buffers_;  // one is read into while the other is hashed and written
  Workers workers_;                            // these two last: they end before what their tasks use
  Workers writer_;
};

}  // namespace hostapp
