// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/object_stage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "hostapp/base/durable.h"
#include "ostree-integration/composefs/tree.h"

namespace hostapp {
namespace {

constexpr size_t kBatchBytes = size_t{256} << 10;  // files up to this size are hashed before they are written
constexpr size_t kBatchFiles = 128;
constexpr size_t kStreamBytes = size_t{1} << 20;
// The disk is told to write when so much is new: at the end there is little left to wait for.
constexpr uint64_t kWriteEvery = uint64_t{32} << 20;
// Left free for tree objects, refs and everybody else.
constexpr uint64_t kReservedBytes = uint64_t{16} << 20;
constexpr const char* kStreamName = "streaming";
constexpr mode_t kMetadataMode = 0644;
constexpr mode_t kFolderMode = 0755;

std::string RefFileName(size_t n) { return StrCat("ref-", n); }

Status Check(int result, std::string_view doing) {
  if (result >= 0) return Ok();
  return SysError(-result, doing);
}

bool WantsVerity(const Inode& inode) {
  return inode.type == Inode::Type::kFile && inode.size > composefs::kSmallContentBytes;
}

// Exactly `size` bytes.
Status ReadAll(const ObjectStage::ReadContent& read, MutableByteSpan to) {
  size_t have = 0;
  while (have < to.size()) {
    ASSIGN_OR_RETURN(const size_t got, read(to.subspan(have)));
    if (got == 0) return Error(Errc::kCorrupt, StrCat("its content ends ", to.size() - have, " bytes early"));
    have += got;
  }
  return Ok();
}

Status ReadEnd(const ObjectStage::ReadContent& read) {
  std::array<std::byte, 1> extra;
  ASSIGN_OR_RETURN(const size_t got, read(extra));
  if (got == 0) return Ok();
  return Error(Errc::kCorrupt, "there is more content than expected");
}

}  // namespace

ObjectStage::ObjectStage(const ImageStore& store, RepoLock lock, std::string name, ObjectSet damaged,
                         uint64_t max_bytes, OpContext& ctx)
    : store_(store),
      lock_(std::move(lock)),
      ctx_(ctx),
      name_(std::move(name)),
      damaged_(std::move(damaged)),
      max_bytes_(max_bytes),
      hashers_(std::max(1U, ctx.jobs)),
      workers_(ctx.jobs),
      writer_(ctx.jobs) {}

Result<std::unique_ptr<ObjectStage>> ObjectStage::Begin(const ImageStore& store, const std::string& name,
                                                        ObjectSet damaged, OpContext& ctx) {
  ASSIGN_OR_RETURN(RepoLock lock, RepoLock::Acquire(store, OSTREE_REPO_LOCK_SHARED, ctx));
  TRY(RemoveTree(store.tmp_fd(), name, ctx.sys));
  ASSIGN_OR_RETURN(const FreeSpace free, FreeSpaceOn(store.tmp_fd(), ctx.sys));
  const uint64_t budget = free.bytes > kReservedBytes ? free.bytes - kReservedBytes : 0;
  std::unique_ptr<ObjectStage> stage(new ObjectStage(store, std::move(lock), name, std::move(damaged), budget, ctx));
  ASSIGN_OR_RETURN(stage->dir_, MakeDirs(store.tmp_fd(), name, 0700, ctx.sys));
  return stage;
}

ObjectStage::~ObjectStage() {
  workers_.Wait();
  writer_.Wait();
  if (!dir_.valid()) return;
  // What cannot be removed now, the next run or the next collection removes.
  (void)RemoveTree(store_.tmp_fd(), name_, ctx_.sys).ok();
}

void ObjectStage::Fail(uint64_t order, Error error) {
  const std::lock_guard lock(mutex_);
  if (error_ && error_order_ <= order) return;
  error_ = std::move(error);
  error_order_ = order;
}

Status ObjectStage::FirstError() {
  const std::lock_guard lock(mutex_);
  return error_ ? Status(*error_) : Ok();
}

Status ObjectStage::Settle() {
  SubmitBatch();
  workers_.Wait();
  return FirstError();
}

Status ObjectStage::Budget(uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  used_bytes_ += bytes;
  if (used_bytes_ <= max_bytes_) return Ok();
  return Error(Errc::kNoSpace, StrCat("its content needs more than the ", HumanBytes(max_bytes_),
                                      " that were free on the store's file system"));
}

bool ObjectStage::Known(const Sha256& object, std::string_view extension) {
  {
    const std::lock_guard lock(mutex_);
    if (staged_.contains(object)) return true;
  }
  return !damaged_.contains(object) && HasObject(store_, object, extension);
}

bool ObjectStage::Claim(const Inode& inode) {
  bool is_new = !Known(inode.object, kFileExtension);
  const std::lock_guard lock(mutex_);
  is_new = is_new && staged_.insert(inode.object).second;
  if (is_new) contents_.push_back({inode.object, kFileExtension});
  if (is_new && store_.has_verity() && WantsVerity(inode)) with_verity_.push_back(inode.object);
  (is_new ? counts_.written_objects : counts_.reused_objects) += 1;
  (is_new ? counts_.written_bytes : counts_.reused_bytes) += inode.size;
  return is_new;
}

Status ObjectStage::AddFile(std::shared_ptr<Inode> inode, std::string_view path, uint64_t size,
                            const ReadContent& read) {
  TRY(FirstError());
  ++files_;
  if (size > kBatchBytes) return AddLargeFile(*inode, size, read).While("member ", Escape(path));
  return AddSmallFile(std::move(inode), path, size, read).While("member ", Escape(path));
}

Status ObjectStage::AddSmallFile(std::shared_ptr<Inode> inode, std::string_view path, uint64_t size,
                                 const ReadContent& read) {
  if (batch_.files.size() == kBatchFiles || batch_.used + size > kBatchBytes) SubmitBatch();
  if (!batch_.content) batch_.content = std::make_unique_for_overwrite<std::byte[]>(kBatchBytes);
  const MutableByteSpan content(batch_.content.get() + batch_.used, size);
  TRY(ReadAll(read, content));
  TRY(ReadEnd(read));
  batch_.files.push_back({std::move(inode), std::string(path), files_, content});
  batch_.used += size;
  StartWriting(size);
  return Ok();
}

void ObjectStage::SubmitBatch() {
  if (batch_.files.empty()) return;
  const auto batch = std::make_shared<const Batch>(std::exchange(batch_, Batch{}));
  workers_.Submit([this, batch](size_t lane) { HashAndWriteAll(*batch, hashers_[lane]); });
}

void ObjectStage::HashAndWriteAll(const Batch& batch, Hashers& hashers) {
  for (const Batch::File& file : batch.files) {
    Status status = HashAndWrite(*file.inode, file.content, hashers).While("member ", Escape(file.path));
    if (!status.ok()) return Fail(file.order, std::move(status).error());
  }
}

// Has the disk write what is staged, beside what goes on here.
void ObjectStage::StartWriting(uint64_t bytes) {
  unwritten_bytes_ += bytes;
  if (writer_.lanes() == 1 || unwritten_bytes_ < kWriteEvery || writing_) return;
  unwritten_bytes_ = 0;
  writing_ = true;
  writer_.Submit([this](size_t) {
    Status synced = SyncFilesystem(dir_.get(), ctx_.sys);
    if (written_.ok()) written_ = std::move(synced);
    writing_ = false;
  });
}

Status ObjectStage::HashAndWrite(Inode& inode, ByteSpan content, Hashers& hashers) {
  inode.size = content.size();
  hashers.verity.Update(content);
  inode.verity = hashers.verity.Finish();
  hashers.content.Update(content);
  inode.content = ToSha256(hashers.content.Finish());
  HashObjectHeader(inode, hashers.object);
  hashers.object.Update(content);
  inode.object = ToSha256(hashers.object.Finish());
  if (!Claim(inode)) return Ok();
  TRY(Budget(content.size()));
  return WriteNewFile(Hex(inode.object), inode, content);
}

Status ObjectStage::WriteNewFile(const std::string& name, const Inode& inode, ByteSpan content) {
  const UniqueFd file(ctx_.sys.OpenAt(dir_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(Check(file.get(), "creating an object"));
  TRY(WriteAll(file.get(), content, ctx_.sys).While("writing an object"));
  return Finish(file.get(), inode);
}

// Owner first: changing it clears setuid bits and capabilities.
Status ObjectStage::Finish(int file, const Inode& inode) {
  TRY(Check(ctx_.sys.Fchown(file, inode.uid, inode.gid),
            StrCat("giving an object to owner ", inode.uid, ":", inode.gid)));
  for (const auto& [name, value] : inode.xattrs) {
    TRY(Check(ctx_.sys.Fsetxattr(file, name.c_str(), value.data(), value.size()),
              StrCat("setting the extended attribute ", Escape(name), " of an object")));
  }
  TRY(Check(ctx_.sys.Fchmod(file, inode.mode), "setting the mode of an object"));
  return Check(ctx_.sys.Futimens(file, kNoTime.data()), "setting the time of an object");
}

// One piece of a large file: written, and hashed three ways, all at the same time. Not taken before the piece before it
// has settled, and `bytes` stay until it has.
Status ObjectStage::StreamChunk(int file, ByteSpan bytes) {
  TRY(ctx_.cancel.Check());
  TRY(Budget(bytes.size()));
  StartWriting(bytes.size());
  workers_.Submit([this, file, bytes, order = files_](size_t) {
    Status status = WriteAll(file, bytes, ctx_.sys).While("writing an object");
    if (!status.ok()) Fail(order, std::move(status).error());
  });
  workers_.Submit([this, bytes](size_t) { stream_hashers_.verity.Update(bytes); });
  workers_.Submit([this, bytes](size_t) { stream_hashers_.content.Update(bytes); });
  workers_.Submit([this, bytes](size_t) { stream_hashers_.object.Update(bytes); });
  return Ok();
}

// `stream` gives StreamChunk() all the content and settles it.
Status ObjectStage::AddStreamed(Inode& inode, uint64_t size, const std::function<Status(int file)>& stream) {
  TRY(RemoveFile(dir_.get(), kStreamName, ctx_.sys));
  const UniqueFd file(ctx_.sys.OpenAt(dir_.get(), kStreamName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(Check(file.get(), "creating an object"));
  inode.size = size;
  HashObjectHeader(inode, stream_hashers_.object);
  TRY(stream(file.get()));
  inode.verity = stream_hashers_.verity.Finish();
  inode.content = ToSha256(stream_hashers_.content.Finish());
  inode.object = ToSha256(stream_hashers_.object.Finish());
  if (!Claim(inode)) return RemoveFile(dir_.get(), kStreamName, ctx_.sys);
  TRY(Finish(file.get(), inode));
  return Rename(dir_.get(), kStreamName, dir_.get(), Hex(inode.object), ctx_.sys);
}

Status ObjectStage::AddLargeFile(Inode& inode, uint64_t size, const ReadContent& read) {
  TRY(Settle());
  return AddStreamed(inode, size, [&](int file) -> Status {
    uint64_t left = size;
    for (size_t turn = 0; left > 0; ++turn) {
      std::string& buffer = stream_buffers_[turn % stream_buffers_.size()];
      buffer.resize(std::min<uint64_t>(left, kStreamBytes));
      Status got = ReadAll(read, std::as_writable_bytes(std::span(buffer)));
      TRY(Settle());  // the piece before: it has the other buffer
      TRY(std::move(got));
      TRY(StreamChunk(file, AsBytes(buffer)));
      left -= buffer.size();
    }
    TRY(Settle());
    return ReadEnd(read);
  });
}

class ObjectStage::StreamSink : public ByteSink {
 public:
  StreamSink(ObjectStage& stage, int file, uint64_t size) : stage_(stage), file_(file), left_(size) {}
  Status Write(ByteSpan bytes) override {
    if (bytes.size() > left_) return Error(Errc::kCorrupt, "there is more content than expected");
    left_ -= bytes.size();
    TRY(stage_.StreamChunk(file_, bytes));
    return stage_.Settle();
  }
  uint64_t left() const { return left_; }

 private:
  ObjectStage& stage_;
  int file_;
  uint64_t left_;
};

Status ObjectStage::AddWritten(Inode& inode, uint64_t size, const std::function<Status(ByteSink&)>& write) {
  TRY(Settle());
  return AddStreamed(inode, size, [&](int file) -> Status {
    StreamSink sink(*this, file, size);
    TRY(write(sink));
    if (sink.left() == 0) return Ok();
    return Error(Errc::kCorrupt, StrCat("its content ends ", sink.left(), " bytes early"));
  });
}

Status ObjectStage::AddSymlink(Inode& inode) {
  inode.object = SymlinkObjectId(inode);
  if (!Claim(inode)) return Ok();
  const std::string name = Hex(inode.object);
  TRY(Check(ctx_.sys.SymlinkAt(inode.link_target.c_str(), dir_.get(), name.c_str()), "creating a link object"));
  TRY(Check(ctx_.sys.LchownAt(dir_.get(), name.c_str(), inode.uid, inode.gid),
            StrCat("giving a link object to owner ", inode.uid, ":", inode.gid)));
  for (const auto& [key, value] : inode.xattrs) {
    TRY(Check(ctx_.sys.LsetxattrAt(dir_.get(), name.c_str(), key.c_str(), value.data(), value.size()),
              StrCat("setting the extended attribute ", Escape(key), " of a link object")));
  }
  TRY(Check(ctx_.sys.LutimensAt(dir_.get(), name.c_str(), kNoTime.data()), "setting the time of a link object"));
  return Ok();
}

Status ObjectStage::WriteSmallFile(const std::string& name, ByteSpan bytes) {
  const UniqueFd file(
      ctx_.sys.OpenAt(dir_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, kMetadataMode));
  TRY(Check(file.get(), "creating it"));
  TRY(WriteAll(file.get(), bytes, ctx_.sys));
  return Check(ctx_.sys.Fchmod(file.get(), kMetadataMode), "setting its mode");  // whatever the umask
}

// No reader would take a larger one, neither `ostree` nor LoadMetadata(): gc and fsck would be at their end with it.
Result<Sha256> ObjectStage::AddMetadata(OstreeObjectType type, ByteSpan bytes) {
  const StagedObject object{ToSha256(HashOf(bytes)), ostree_object_type_to_string(type)};
  if (bytes.size() > OSTREE_MAX_METADATA_SIZE) {
    return Error(Errc::kCorrupt,
                 StrCat("it has more than the store's format holds: a ", object.extension, " object of ", bytes.size(),
                        " bytes, and OSTree reads at most ", OSTREE_MAX_METADATA_SIZE));
  }
  if (!known_trees_.insert(object.id).second || Known(object.id, object.extension)) return object.id;
  TRY(WriteSmallFile(Hex(object.id), bytes).While("writing a ", object.extension, " object"));
  staged_.insert(object.id);
  (type == OSTREE_OBJECT_TYPE_COMMIT ? commits_ : trees_).push_back(object);
  return object.id;
}

Result<Sha256> ObjectStage::AddCommit(const CommitFields& fields, const std::string& ref) {
  const glib::VariantPtr variant = CommitVariant(fields);
  ASSIGN_OR_RETURN(const Sha256 id, AddMetadata(OSTREE_OBJECT_TYPE_COMMIT, VariantBytes(variant.get())));
  TRY(WriteSmallFile(RefFileName(refs_.size()), AsBytes(StrCat(Hex(id), '\n'))).While("writing the ref ", ref));
  refs_.push_back(ref);
  named_ = {.contents = contents_.size(), .trees = trees_.size(), .commits = commits_.size()};
  return id;
}

// After a sync: enabling it writes a file's own pages out one by one.
Status ObjectStage::EnableVerityOfContents() {
  if (with_verity_.empty()) return Ok();
  TRY(SyncFilesystem(dir_.get(), ctx_.sys));
  return ForEachOf(with_verity_.size(), workers_,
                   [this](size_t i, size_t) { return store_.GiveVerity(dir_.get(), Hex(with_verity_[i]), ctx_.sys); });
}

Status ObjectStage::PublishObjects(std::span<const StagedObject> objects) {
  const int to = store_.impl().objects.get();
  for (const auto& [id, extension] : objects) {
    const std::string path = ObjectPath(id, extension);
    if (damaged_.contains(id)) TRY(RemoveFolder(to, path, ctx_.sys));
    TRY(Rename(dir_.get(), Hex(id), to, path, ctx_.sys));
  }
  return Ok();
}

Status ObjectStage::Publish() {
  workers_.Wait();  // for files of no commit
  writer_.Wait();
  if (refs_.empty()) return Ok();
  TRY(std::move(written_).While("making the staged objects durable"));
  TRY(EnableVerityOfContents().While("completing the staged objects"));
  // An object must never have its final name before its content is on disk: libostree, like everyone, takes a name
  // that is there for an object that is whole.
  TRY(SyncFilesystem(dir_.get(), ctx_.sys).While("making the staged objects durable"));
  TRY(PublishObjects(std::span(contents_).first(named_.contents)));
  TRY(PublishObjects(std::span(trees_).first(named_.trees)));
  if (named_.commits > 0) {
    // `ostree fsck` looks at every commit, with a ref or without.
    TRY(SyncFilesystem(dir_.get(), ctx_.sys).While("making the objects durable"));
    TRY(PublishObjects(std::span(commits_).first(named_.commits)));
  }
  TRY(SyncFilesystem(dir_.get(), ctx_.sys).While("making the commits durable"));
  return PublishRefs();
}

Status ObjectStage::PublishRefs() {
  const int repo = ostree_repo_get_dfd(store_.impl().repo.get());
  for (size_t i = 0; i < refs_.size(); ++i) {
    const std::string path = StrCat("refs/heads/", refs_[i]);
    TRY(MakeDirs(repo, path.substr(0, path.rfind('/')), kFolderMode, ctx_.sys).status());
    TRY(RemoveFolder(repo, path, ctx_.sys));
    TRY(Rename(dir_.get(), RefFileName(i), repo, path, ctx_.sys).While("writing the ref ", refs_[i]));
  }
  return SyncFilesystem(dir_.get(), ctx_.sys).While("making the refs durable");
}

}  // namespace hostapp
