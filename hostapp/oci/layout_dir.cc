// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cerrno>
#include <vector>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/layout.h"
#include "hostapp/oci/layout_index.h"

namespace hostapp {
namespace {

constexpr size_t kBlobChunk = size_t{256} << 10;

std::string_view FolderOf(const Digest& digest) {
  return digest.algorithm() == HashAlgorithm::kSha256 ? "sha256" : "sha512";
}

// Opens one more component without following a symbolic link: a chain of these is what openat2's RESOLVE_BENEATH and
// RESOLVE_NO_SYMLINKS are for names that we make ourselves, and needs no newer kernel.
Result<UniqueFd> OpenPlain(int dir, std::string_view name, int flags) {
  UniqueFd fd(::openat(dir, std::string(name).c_str(), flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (fd.valid()) return fd;
  if (errno == ELOOP) return Error(Errc::kCorrupt, StrCat(name, ": a symbolic link, which no layout may have"));
  return SysError(errno, StrCat("opening ", name));
}

Result<UniqueFd> OpenBlob(int root, const Digest& digest) {
  ASSIGN_OR_RETURN(const UniqueFd blobs, OpenPlain(root, "blobs", O_RDONLY | O_DIRECTORY));
  ASSIGN_OR_RETURN(const UniqueFd folder, OpenPlain(blobs.get(), FolderOf(digest), O_RDONLY | O_DIRECTORY));
  return OpenPlain(folder.get(), digest.Hex(), O_RDONLY);
}

Result<uint64_t> SizeOf(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return SysError(errno, "looking at the blob");
  if (!S_ISREG(info.st_mode)) return Error(Errc::kCorrupt, "no regular file");
  return static_cast<uint64_t>(info.st_size);
}

// Sends the file's bytes from `offset` to its end.
Status SendFile(int file, uint64_t offset, ByteSink& sink, OpContext& ctx) {
  std::vector<std::byte> buffer(kBlobChunk);
  for (;;) {
    TRY(ctx.cancel.Check());
    const ssize_t got = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading the blob");
    if (got == 0) return Ok();
    TRY(sink.Write(ByteSpan(buffer).first(static_cast<size_t>(got))));
    offset += static_cast<uint64_t>(got);
  }
}

// index.json and oci-layout are opened as strictly as blobs are.
Result<std::string> ReadPlain(int root, std::string_view name, uint64_t max_bytes) {
  TRY(OpenPlain(root, name, O_RDONLY).status());
  return ReadFile(root, name, max_bytes);
}

class LayoutDirSource : public ImageSource {
 public:
  LayoutDirSource(UniqueFd root, Reference reference, Index index)
      : root_(std::move(root)), reference_(std::move(reference)), index_(std::move(index)) {}

  Result<Document> FetchTop(OpContext& ctx) override {
    const Result<Descriptor> entry = SelectLayoutEntry(index_, reference_);
    if (entry.ok()) return FetchManifest(*entry, ctx);
    // A digest may name what an index in the layout refers to.
    if (!reference_.digest || !OpenBlob(root_.get(), *reference_.digest).ok()) return entry.error();
    ASSIGN_OR_RETURN(const UniqueFd file, OpenBlob(root_.get(), *reference_.digest));
    ASSIGN_OR_RETURN(const uint64_t size, SizeOf(file.get()));
    return FetchManifest(Descriptor{.media_type = {},
                                    .digest = *reference_.digest,
                                    .size = size,
                                    .annotations = {},
                                    .platform = {},
                                    .artifact_type = {}},
                         ctx);
  }

  Result<Document> FetchManifest(const Descriptor& descriptor, OpContext& ctx) override {
    ASSIGN_OR_RETURN(std::string bytes, FetchSmallBlob(descriptor, kMaxManifestBytes, *this, ctx));
    return Document{.media_type = descriptor.media_type, .bytes = std::move(bytes)};
  }

  Status Fetch(const Descriptor& blob, uint64_t offset, ByteSink& sink, OpContext& ctx) override {
    const auto fetch = [&]() -> Status {
      ASSIGN_OR_RETURN(const UniqueFd file, OpenBlob(root_.get(), blob.digest));
      ASSIGN_OR_RETURN(const uint64_t size, SizeOf(file.get()));
      if (size != blob.size) return Error(Errc::kCorrupt, StrCat("expected ", blob.size, " bytes, got ", size));
      return SendFile(file.get(), offset, sink, ctx);
    };
    return fetch().While("layout ", Escape(reference_.path), ": ", blob.digest.Short());
  }

 private:
  UniqueFd root_;
  Reference reference_;
  Index index_;
};

// Hashes what passes on its way to a file.
class HashingFile : public ByteSink {
 public:
  HashingFile(int file, HashAlgorithm algorithm, Syscalls& sys) : file_(file), hasher_(algorithm), sys_(sys) {}
  Status Write(ByteSpan bytes) override {
    hasher_.Update(bytes);
    size_ += bytes.size();
    return file_ < 0 ? Ok() : WriteAll(file_, bytes, sys_);
  }
  Status Check(const Digest& digest, uint64_t size) {
    if (size_ == size && hasher_.Finish() == digest.value()) return Ok();
    return Error(Errc::kCorrupt, StrCat(digest.ToString(), ": the bytes are not those of this digest and size"));
  }

 private:
  int file_;
  Hasher hasher_;
  Syscalls& sys_;
  uint64_t size_ = 0;
};

class LayoutDirDestination : public ImageDestination {
 public:
  LayoutDirDestination(UniqueFd root, Reference reference) : root_(std::move(root)), reference_(std::move(reference)) {}

  // A blob of the right name that has other bytes is none: it is written again.
  Result<bool> HasBlob(const Descriptor& blob, OpContext& ctx) override {
    const Result<UniqueFd> file = OpenBlob(root_.get(), blob.digest);
    if (!file.ok()) return false;
    const Result<uint64_t> size = SizeOf(file->get());
    if (!size.ok() || *size != blob.size) return false;
    HashingFile hash(-1, blob.digest.algorithm(), ctx.sys);
    const Status sent = SendFile(file->get(), 0, hash, ctx);
    if (!sent.ok() && sent.error().code() == Errc::kCancelled) return sent.error();
    return sent.ok() && hash.Check(blob.digest, blob.size).ok();
  }

  Result<bool> TryReuseBlob(const Descriptor&, OpContext&) override { return false; }

  Status PutBlob(const Descriptor& blob, int file, OpContext& ctx) override {
    return Store(blob, ctx, [&](ByteSink& sink) { return SendFile(file, 0, sink, ctx); });
  }

  Status PutManifest(const Document& document, Tagged tagged, OpContext& ctx) override {
    ASSIGN_OR_RETURN(const auto parsed, ParseDocument(document));
    ASSIGN_OR_RETURN(const Json json, ParseJson(document.bytes, "manifest"));
    ASSIGN_OR_RETURN(const auto own, JsonCursor(json, "manifest").OptionalStringAt("mediaType"));
    const bool index = std::holds_alternative<Index>(parsed);
    std::string type = own ? *own : document.media_type;
    if (type.empty()) type = index ? media_type::kOciIndex : media_type::kOciManifest;
    Descriptor descriptor{.media_type = std::move(type),
                          .digest = document.digest(),
                          .size = document.bytes.size(),
                          .annotations = {},
                          .platform = {},
                          .artifact_type = {}};
    TRY(Store(descriptor, ctx, [&](ByteSink& sink) { return sink.Write(AsBytes(document.bytes)); }));
    if (tagged == Tagged::kYes) top_ = std::move(descriptor);
    return Ok();
  }

  // The commit point is the rename of index.json.
  Status Commit(OpContext& ctx) override {
    if (!top_) return Error(Errc::kInternal, "an image layout was committed without a tagged manifest");
    TRY(SyncFolders(ctx));
    // Two writers of one layout: the second reads what the first one wrote.
    if (::flock(root_.get(), LOCK_EX) != 0) return SysError(errno, "locking the layout");
    std::string old;
    if (Exists(root_.get(), kLayoutIndexName)) {
      ASSIGN_OR_RETURN(old, ReadPlain(root_.get(), kLayoutIndexName, kMaxManifestBytes));
    }
    ASSIGN_OR_RETURN(const std::string text, WithLayoutEntry(old, *top_, reference_.tag));
    Status status = ReplaceFile(root_.get(), kLayoutIndexName, AsBytes(text), 0644, ctx.sys);
    (void)::flock(root_.get(), LOCK_UN);
    return status;
  }

 private:
  template <typename Send>
  Status Store(const Descriptor& blob, OpContext& ctx, Send send) {
    const auto store = [&]() -> Status {
      ASSIGN_OR_RETURN(const UniqueFd folder,
                       MakeDirs(root_.get(), StrCat("blobs/", FolderOf(blob.digest)), 0755, ctx.sys));
      const std::string unfinished = StrCat(".", blob.digest.Hex(), ".new");
      Status status = WriteBlob(folder.get(), unfinished, blob, ctx, send);
      if (status.ok()) status = Rename(folder.get(), unfinished, folder.get(), blob.digest.Hex(), ctx.sys);
      if (!status.ok()) (void)RemoveFile(folder.get(), unfinished, ctx.sys);
      return status;
    };
    return store().While("layout ", Escape(reference_.path), ": writing ", blob.digest.Short());
  }

  template <typename Send>
  static Status WriteBlob(int folder, const std::string& name, const Descriptor& blob, OpContext& ctx, Send send) {
    const UniqueFd file(ctx.sys.OpenAt(folder, name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
    if (!file.valid()) return SysError(-file.get(), StrCat("creating ", name));
    HashingFile sink(file.get(), blob.digest.algorithm(), ctx.sys);
    TRY(send(sink));
    TRY(sink.Check(blob.digest, blob.size));
    return SyncFile(file.get(), ctx.sys);
  }

  Status SyncFolders(OpContext& ctx) {
    ASSIGN_OR_RETURN(const UniqueFd blobs, OpenPlain(root_.get(), "blobs", O_RDONLY | O_DIRECTORY));
    for (const std::string_view name : {"sha256", "sha512"}) {
      if (!Exists(blobs.get(), name)) continue;
      ASSIGN_OR_RETURN(const UniqueFd folder, OpenPlain(blobs.get(), name, O_RDONLY | O_DIRECTORY));
      TRY(SyncDir(folder.get(), ctx.sys));
    }
    TRY(SyncDir(blobs.get(), ctx.sys));
    return SyncDir(root_.get(), ctx.sys);
  }

  UniqueFd root_;
  Reference reference_;
  std::optional<Descriptor> top_;
};

Result<Index> ReadIndex(int root) {
  ASSIGN_OR_RETURN(std::string text, ReadPlain(root, kLayoutIndexName, kMaxManifestBytes));
  ASSIGN_OR_RETURN(auto parsed,
                   ParseDocument({.media_type = std::string(media_type::kOciIndex), .bytes = std::move(text)}));
  return std::get<Index>(std::move(parsed));
}

}  // namespace

Result<std::unique_ptr<ImageSource>> OpenLayoutDir(const Reference& reference, OpContext& ctx) {
  const auto open = [&]() -> Result<std::unique_ptr<ImageSource>> {
    ASSIGN_OR_RETURN(UniqueFd root, OpenDir(AT_FDCWD, reference.path, ctx.sys));
    if (!Exists(root.get(), kLayoutFileName))
      return Error(Errc::kNotFound, "no image layout: it has no oci-layout file");
    ASSIGN_OR_RETURN(const std::string layout, ReadPlain(root.get(), kLayoutFileName, kMaxLayoutFileBytes));
    TRY(CheckLayoutFile(layout));
    ASSIGN_OR_RETURN(Index index, ReadIndex(root.get()));
    if (!reference.digest) TRY(SelectLayoutEntry(index, reference).status());
    return std::unique_ptr<ImageSource>(new LayoutDirSource(std::move(root), reference, std::move(index)));
  };
  return open().While("opening ", Escape(reference.ToString()));
}

Result<std::unique_ptr<ImageDestination>> OpenLayoutDirForWriting(const Reference& reference, OpContext& ctx) {
  const auto open = [&]() -> Result<std::unique_ptr<ImageDestination>> {
    ASSIGN_OR_RETURN(UniqueFd root, MakeDirs(AT_FDCWD, reference.path, 0755, ctx.sys));
    if (Exists(root.get(), kLayoutFileName)) {
      ASSIGN_OR_RETURN(const std::string layout, ReadPlain(root.get(), kLayoutFileName, kMaxLayoutFileBytes));
      TRY(CheckLayoutFile(layout));
    } else {
      ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(root.get(), "."));
      // What a crash in the line after the next one leaves is ours.
      const bool ours = names.empty() || (names.size() == 1 && names[0] == StrCat(".", kLayoutFileName, ".new"));
      if (!ours) return Error(Errc::kInvalid, "the folder is neither empty nor an image layout");
      TRY(ReplaceFile(root.get(), kLayoutFileName, AsBytes(kLayoutFileText), 0644, ctx.sys));
    }
    return std::unique_ptr<ImageDestination>(new LayoutDirDestination(std::move(root), reference));
  };
  return open().While("opening ", Escape(reference.ToString()));
}

}  // namespace hostapp
