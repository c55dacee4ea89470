// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/object_stage.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>

#include "hostapp/base/durable.h"

namespace hostapp {
namespace {

constexpr size_t kStageChunk = size_t{256} << 10;  // files up to this size are hashed before they are written
// Left free for tree objects, refs and everybody else.
constexpr uint64_t kReservedBytes = uint64_t{16} << 20;
constexpr const char* kStreamName = "streaming";
constexpr std::string_view kFile = "file";
constexpr mode_t kMetadataMode = 0644;
constexpr mode_t kFolderMode = 0755;

std::string RefFileName(size_t n) { return StrCat("ref-", n); }

Status Check(int result, std::string_view doing) {
  if (result >= 0) return Ok();
  return SysError(-result, doing);
}

}  // namespace

Result<ObjectStage> ObjectStage::Begin(const ImageStore& store, const std::string& name, OpContext& ctx) {
  TRY(RemoveTree(store.tmp_fd(), name, ctx.sys));
  ASSIGN_OR_RETURN(const FreeSpace free, FreeSpaceOn(store.tmp_fd(), ctx.sys));
  ObjectStage stage(store, name, free.bytes > kReservedBytes ? free.bytes - kReservedBytes : 0, ctx);
  ASSIGN_OR_RETURN(stage.dir_, MakeDirs(store.tmp_fd(), name, 0700, ctx.sys));
  stage.buffer_.resize(kStageChunk);
  return stage;
}

ObjectStage::~ObjectStage() {
  if (!dir_.valid()) return;
  // What cannot be removed now, the next run or the next collection removes.
  (void)RemoveTree(store_->tmp_fd(), name_, ctx_->sys).ok();
}

Status ObjectStage::Budget(uint64_t bytes) {
  used_bytes_ += bytes;
  if (used_bytes_ <= max_bytes_) return Ok();
  return Error(Errc::kNoSpace, StrCat("its content needs more than the ", HumanBytes(max_bytes_),
                                      " that were free on the store's file system"));
}

bool ObjectStage::Known(const Sha256& object, std::string_view extension) const {
  return staged_.contains(object) || HasObject(*store_, object, extension);
}

void ObjectStage::Staged(const Sha256& content) {
  staged_.insert(content);
  contents_.push_back({content, kFile});
}

void ObjectStage::Count(const Inode& inode, bool written) {
  (written ? counts_.written_objects : counts_.reused_objects) += 1;
  (written ? counts_.written_bytes : counts_.reused_bytes) += inode.size;
}

Status ObjectStage::AddFile(Inode& inode, uint64_t size, const ReadContent& read) {
  if (size > kStageChunk) return AddStreamed(inode, size, read);
  size_t have = 0;
  while (true) {
    // One byte more than there should be, so that a source that gives more is noticed.
    std::array<std::byte, 1> extra;
    const MutableByteSpan rest =
        have < size ? std::as_writable_bytes(std::span(buffer_)).subspan(have, size - have) : MutableByteSpan(extra);
    ASSIGN_OR_RETURN(const size_t got, read(rest));
    if (got == 0) break;
    have += got;
    if (have > size) break;
  }
  if (have != size) return Error(Errc::kCorrupt, StrCat("expected ", size, " bytes of content, got ", have));
  return AddFile(inode, AsBytes(std::string_view(buffer_).substr(0, have)));
}

Status ObjectStage::AddFile(Inode& inode, ByteSpan content) {
  inode.size = content.size();
  verity_.Update(content);
  inode.verity = verity_.Finish();
  content_hasher_.Update(content);
  inode.content = ToSha256(content_hasher_.Finish());
  HashObjectHeader(inode, object_hasher_);
  object_hasher_.Update(content);
  inode.object = ToSha256(object_hasher_.Finish());
  const bool known = Known(inode.object, kFile);
  Count(inode, !known);
  if (known) return Ok();
  TRY(Budget(content.size()));
  TRY(WriteNewFile(Hex(inode.object), inode, content));
  Staged(inode.object);
  return Ok();
}

Status ObjectStage::WriteNewFile(const std::string& name, const Inode& inode, ByteSpan content) {
  const UniqueFd file(ctx_->sys.OpenAt(dir_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(Check(file.get(), "creating an object"));
  TRY(WriteAll(file.get(), content, ctx_->sys).While("writing an object"));
  return Finish(file.get(), inode);
}

// Owner first: changing it clears setuid bits and capabilities.
Status ObjectStage::Finish(int file, const Inode& inode) {
  TRY(Check(ctx_->sys.Fchown(file, inode.uid, inode.gid),
            StrCat("giving an object to owner ", inode.uid, ":", inode.gid)));
  for (const auto& [name, value] : inode.xattrs) {
    TRY(Check(ctx_->sys.Fsetxattr(file, name.c_str(), value.data(), value.size()),
              StrCat("setting the extended attribute ", Escape(name), " of an object")));
  }
  TRY(Check(ctx_->sys.Fchmod(file, inode.mode), "setting the mode of an object"));
  return Check(ctx_->sys.Futimens(file, kNoTime.data()), "setting the time of an object");
}

// Hashes and writes what comes by.
class ObjectStage::StreamSink : public ByteSink {
 public:
  StreamSink(ObjectStage& stage, int file, uint64_t size) : stage_(stage), file_(file), left_(size) {}
  Status Write(ByteSpan bytes) override {
    TRY(stage_.ctx_->cancel.Check());
    if (bytes.size() > left_) return Error(Errc::kCorrupt, "there is more content than expected");
    left_ -= bytes.size();
    TRY(stage_.Budget(bytes.size()));
    TRY(WriteAll(file_, bytes, stage_.ctx_->sys).While("writing an object"));
    stage_.verity_.Update(bytes);
    stage_.content_hasher_.Update(bytes);
    stage_.object_hasher_.Update(bytes);
    return Ok();
  }
  uint64_t left() const { return left_; }

 private:
  ObjectStage& stage_;
  int file_;
  uint64_t left_;
};

Status ObjectStage::AddStreamed(Inode& inode, uint64_t size, const ReadContent& read) {
  return AddWritten(inode, size, [&](ByteSink& out) -> Status {
    while (true) {
      ASSIGN_OR_RETURN(const size_t got, read(std::as_writable_bytes(std::span(buffer_))));
      if (got == 0) return Ok();
      TRY(out.Write(AsBytes(std::string_view(buffer_).substr(0, got))));
    }
  });
}

Status ObjectStage::AddWritten(Inode& inode, uint64_t size, const std::function<Status(ByteSink&)>& write) {
  TRY(RemoveFile(dir_.get(), kStreamName, ctx_->sys));
  UniqueFd file(ctx_->sys.OpenAt(dir_.get(), kStreamName, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
  TRY(Check(file.get(), "creating an object"));
  inode.size = size;
  HashObjectHeader(inode, object_hasher_);
  StreamSink sink(*this, file.get(), size);
  TRY(write(sink));
  if (sink.left() > 0) {
    return Error(Errc::kCorrupt, StrCat("expected ", size, " bytes of content, got ", size - sink.left()));
  }
  inode.verity = verity_.Finish();
  inode.content = ToSha256(content_hasher_.Finish());
  inode.object = ToSha256(object_hasher_.Finish());
  const bool known = Known(inode.object, kFile);
  Count(inode, !known);
  if (known) {
    used_bytes_ -= size;
    return RemoveFile(dir_.get(), kStreamName, ctx_->sys);
  }
  TRY(Finish(file.get(), inode));
  TRY(Rename(dir_.get(), kStreamName, dir_.get(), Hex(inode.object), ctx_->sys));
  Staged(inode.object);
  return Ok();
}

Status ObjectStage::AddSymlink(Inode& inode) {
  inode.object = SymlinkObjectId(inode);
  const bool known = Known(inode.object, kFile);
  Count(inode, !known);
  if (known) return Ok();
  const std::string name = Hex(inode.object);
  TRY(Check(ctx_->sys.SymlinkAt(inode.link_target.c_str(), dir_.get(), name.c_str()), "creating a link object"));
  TRY(Check(ctx_->sys.LchownAt(dir_.get(), name.c_str(), inode.uid, inode.gid),
            StrCat("giving a link object to owner ", inode.uid, ":", inode.gid)));
  for (const auto& [key, value] : inode.xattrs) {
    TRY(Check(ctx_->sys.LsetxattrAt(dir_.get(), name.c_str(), key.c_str(), value.data(), value.size()),
              StrCat("setting the extended attribute ", Escape(key), " of a link object")));
  }
  TRY(Check(ctx_->sys.LutimensAt(dir_.get(), name.c_str(), kNoTime.data()), "setting the time of a link object"));
  Staged(inode.object);
  return Ok();
}

Status ObjectStage::WriteSmallFile(const std::string& name, ByteSpan bytes) {
  const UniqueFd file(
      ctx_->sys.OpenAt(dir_.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, kMetadataMode));
  TRY(Check(file.get(), "creating it"));
  TRY(WriteAll(file.get(), bytes, ctx_->sys));
  return Check(ctx_->sys.Fchmod(file.get(), kMetadataMode), "setting its mode");  // whatever the umask
}

Result<Sha256> ObjectStage::AddMetadata(OstreeObjectType type, GVariant* variant) {
  const StagedObject object{VariantId(variant), ostree_object_type_to_string(type)};
  if (Known(object.id, object.extension)) return object.id;
  TRY(WriteSmallFile(Hex(object.id), VariantBytes(variant)).While("writing a ", object.extension, " object"));
  staged_.insert(object.id);
  (type == OSTREE_OBJECT_TYPE_COMMIT ? commits_ : trees_).push_back(object);
  return object.id;
}

Result<Sha256> ObjectStage::AddCommit(const CommitFields& fields, const std::string& ref) {
  const glib::VariantPtr variant = CommitVariant(fields);
  ASSIGN_OR_RETURN(const Sha256 id, AddMetadata(OSTREE_OBJECT_TYPE_COMMIT, variant.get()));
  TRY(WriteSmallFile(RefFileName(refs_.size()), AsBytes(StrCat(Hex(id), '\n'))).While("writing the ref ", ref));
  refs_.push_back(ref);
  return id;
}

Status ObjectStage::PublishObjects(const std::vector<StagedObject>& objects) {
  for (const auto& [id, extension] : objects) {
    TRY(Rename(dir_.get(), Hex(id), store_->impl().objects.get(), ObjectPath(id, extension), ctx_->sys));
  }
  return Ok();
}

Status ObjectStage::Publish() {
  // An object must never have its final name before its content is on disk: libostree, like everyone, takes a name
  // that is there for an object that is whole.
  TRY(SyncFilesystem(dir_.get(), ctx_->sys).While("making the staged objects durable"));
  TRY(PublishObjects(contents_));
  TRY(PublishObjects(trees_));
  if (!commits_.empty()) {
    // `ostree fsck` looks at every commit, with a ref or without.
    TRY(SyncFilesystem(dir_.get(), ctx_->sys).While("making the objects durable"));
    TRY(PublishObjects(commits_));
  }
  TRY(SyncFilesystem(dir_.get(), ctx_->sys).While("making the commits durable"));
  TRY(PublishRefs());
  staged_.clear();
  contents_.clear();
  trees_.clear();
  commits_.clear();
  return Ok();
}

Status ObjectStage::PublishRefs() {
  if (refs_.empty()) return Ok();
  const int repo = ostree_repo_get_dfd(store_->impl().repo.get());
  for (size_t i = 0; i < refs_.size(); ++i) {
    const std::string path = StrCat("refs/heads/", refs_[i]);
    TRY(MakeDirs(repo, path.substr(0, path.rfind('/')), kFolderMode, ctx_->sys).status());
    TRY(Rename(dir_.get(), RefFileName(i), repo, path, ctx_->sys).While("writing the ref ", refs_[i]));
  }
  refs_.clear();
  return SyncFilesystem(dir_.get(), ctx_->sys).While("making the refs durable");
}

}  // namespace hostapp
