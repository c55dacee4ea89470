// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/oci_archive.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <vector>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/fd_source.h"
#include "hostapp/layer/tar_reader.h"
#include "hostapp/layer/tar_writer.h"
#include "hostapp/oci/layout_index.h"

namespace hostapp {
namespace {

constexpr size_t kArchiveChunk = size_t{256} << 10;
constexpr uint64_t kMaxMembers = 100'000;

std::string NameOf(const Digest& digest) {
  return StrCat("blobs/", digest.algorithm() == HashAlgorithm::kSha256 ? "sha256/" : "sha512/", digest.Hex());
}

// Where a member's content is in the file.
struct Place {
  uint64_t offset = 0, size = 0;
};
using Members = std::map<std::string, Place, std::less<>>;

Result<Members> IndexMembers(int file, OpContext& ctx) {
  FdSource source(file);
  TarReader reader(source, {.max_entries = kMaxMembers});
  Members out;
  for (;;) {
    TRY(ctx.cancel.Check());
    ASSIGN_OR_RETURN(const std::optional<TarEntry> entry, reader.Next());
    if (!entry) return out;
    if (entry->type == TarEntry::Type::kDirectory) continue;
    if (entry->type != TarEntry::Type::kFile) {
      return Error(Errc::kCorrupt, StrCat(Escape(entry->path), ": an image layout has files and folders only"));
    }
    if (!out.emplace(entry->path, Place{reader.position(), entry->size}).second) {
      return Error(Errc::kCorrupt, StrCat(Escape(entry->path), ": twice in the archive"));
    }
  }
}

// Sends `size` bytes of a file.
Status SendRange(int file, uint64_t offset, uint64_t size, ByteSink& sink, OpContext& ctx) {
  FdSource source(file, offset, offset + size);
  std::vector<std::byte> buffer(kArchiveChunk);
  while (size > 0) {
    TRY(ctx.cancel.Check());
    ASSIGN_OR_RETURN(const size_t got, source.Read(buffer));
    if (got == 0) return Error(Errc::kCorrupt, "the file became shorter while it was read");
    TRY(sink.Write(ByteSpan(buffer).first(got)));
    size -= got;
  }
  return Ok();
}

class ArchiveSource : public ImageSource {
 public:
  ArchiveSource(UniqueFd file, Reference reference, Members members)
      : file_(std::move(file)), reference_(std::move(reference)), members_(std::move(members)) {}

  Status ReadIndex(OpContext& ctx) {
    ASSIGN_OR_RETURN(const std::string layout, ReadMember(kLayoutFileName, kMaxLayoutFileBytes, ctx));
    TRY(CheckLayoutFile(layout));
    ASSIGN_OR_RETURN(std::string text, ReadMember(kLayoutIndexName, kMaxManifestBytes, ctx));
    ASSIGN_OR_RETURN(auto parsed,
                     ParseDocument({.media_type = std::string(media_type::kOciIndex), .bytes = std::move(text)}));
    index_ = std::get<Index>(std::move(parsed));
    return reference_.digest ? Ok() : SelectLayoutEntry(*index_, reference_).status();
  }

  Result<Document> FetchTop(OpContext& ctx) override {
    const Result<Descriptor> entry = SelectLayoutEntry(*index_, reference_);
    if (entry.ok()) return FetchManifest(*entry, ctx);
    // A digest may name what an index in the layout refers to.
    if (!reference_.digest) return entry.error();
    const auto place = members_.find(NameOf(*reference_.digest));
    if (place == members_.end()) return entry.error();
    return FetchManifest(Descriptor{.media_type = {},
                                    .digest = *reference_.digest,
                                    .size = place->second.size,
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
      const auto found = members_.find(NameOf(blob.digest));
      if (found == members_.end()) return Error(Errc::kNotFound, "no such blob");
      const Place& place = found->second;
      if (place.size != blob.size)
        return Error(Errc::kCorrupt, StrCat("expected ", blob.size, " bytes, got ", place.size));
      if (offset > place.size) return Error(Errc::kInvalid, "an offset beyond the blob");
      return SendRange(file_.get(), place.offset + offset, place.size - offset, sink, ctx);
    };
    return fetch().While("archive ", Escape(reference_.path), ": ", blob.digest.Short());
  }

 private:
  Result<std::string> ReadMember(std::string_view name, uint64_t max_bytes, OpContext& ctx) {
    const auto found = members_.find(name);
    if (found == members_.end()) return Error(Errc::kNotFound, StrCat("no image layout: it has no ", name));
    if (found->second.size > max_bytes) {
      return Error(Errc::kCorrupt, StrCat(name, ": more than the ", max_bytes, " bytes allowed"));
    }
    struct Text : ByteSink {
      Status Write(ByteSpan bytes) override {
        text.append(AsText(bytes));
        return Ok();
      }
      std::string text;
    } sink;
    TRY(SendRange(file_.get(), found->second.offset, found->second.size, sink, ctx));
    return std::move(sink.text);
  }

  UniqueFd file_;
  Reference reference_;
  Members members_;
  std::optional<Index> index_;
};

class ArchiveDestination : public ImageDestination, private ByteSink {
 public:
  ArchiveDestination(UniqueFd folder, std::string name, UniqueFd file, Reference reference, Syscalls& sys)
      : folder_(std::move(folder)),
        name_(std::move(name)),
        file_(std::move(file)),
        reference_(std::move(reference)),
        sys_(sys),
        writer_(*this) {}

  ~ArchiveDestination() override {
    // What was never committed is nothing to anybody.
    if (file_.valid()) (void)RemoveFile(folder_.get(), Unfinished(name_), sys_);
  }

  static std::string Unfinished(std::string_view name) { return StrCat(".", name, ".new"); }

  Status Begin() { return AddText(kLayoutFileName, kLayoutFileText); }

  Result<bool> HasBlob(const Descriptor& blob, OpContext&) override { return written_.contains(NameOf(blob.digest)); }
  Result<bool> TryReuseBlob(const Descriptor&, OpContext&) override { return false; }

  Status PutBlob(const Descriptor& blob, int file, OpContext& ctx) override {
    const std::string name = NameOf(blob.digest);
    if (written_.contains(name)) return Ok();
    const auto put = [&]() -> Status {
      struct stat info {};
      if (::fstat(file, &info) != 0) return SysError(errno, "looking at the blob");
      if (static_cast<uint64_t>(info.st_size) != blob.size) {
        return Error(Errc::kCorrupt, StrCat("expected ", blob.size, " bytes, got ", info.st_size));
      }
      TRY(AddHeader(name, blob.size));
      struct Content : ByteSink {
        explicit Content(TarWriter& to, HashAlgorithm algorithm) : writer(to), hasher(algorithm) {}
        Status Write(ByteSpan bytes) override {
          hasher.Update(bytes);
          return writer.WriteContent(bytes);
        }
        TarWriter& writer;
        Hasher hasher;
      } content(writer_, blob.digest.algorithm());
      TRY(SendRange(file, 0, blob.size, content, ctx));
      if (content.hasher.Finish() == blob.digest.value()) return Ok();
      return Error(Errc::kCorrupt, "the bytes do not have this digest");
    };
    Status status = put();
    // A half-written member cannot be taken back: nothing but an error comes after it.
    if (!status.ok()) failed_ = true;
    return std::move(status).While("archive ", Escape(reference_.path), ": writing ", blob.digest.Short());
  }

  Status PutManifest(const Document& document, Tagged tagged, OpContext&) override {
    ASSIGN_OR_RETURN(const auto parsed, ParseDocument(document));
    const bool index = std::holds_alternative<Index>(parsed);
    ASSIGN_OR_RETURN(const Json json, ParseJson(document.bytes, "manifest"));
    ASSIGN_OR_RETURN(const auto own, JsonCursor(json, "manifest").OptionalStringAt("mediaType"));
    std::string type = own ? *own : document.media_type;
    if (type.empty()) type = index ? media_type::kOciIndex : media_type::kOciManifest;
    const Digest digest = document.digest();
    if (!written_.contains(NameOf(digest))) TRY(AddText(NameOf(digest), document.bytes));
    if (tagged == Tagged::kNo) return Ok();
    top_ = Descriptor{.media_type = std::move(type),
                      .digest = digest,
                      .size = document.bytes.size(),
                      .annotations = {},
                      .platform = {},
                      .artifact_type = {}};
    return Ok();
  }

  // The commit point is the rename.
  Status Commit(OpContext&) override {
    if (!top_ || failed_) return Error(Errc::kInternal, "an archive was committed without all of its image");
    ASSIGN_OR_RETURN(const std::string index, WithLayoutEntry("", *top_, reference_.tag));
    TRY(AddText(kLayoutIndexName, index));
    TRY(writer_.Finish());
    TRY(SyncFile(file_.get(), sys_));
    TRY(Rename(folder_.get(), Unfinished(name_), folder_.get(), name_, sys_));
    file_.Reset(-1);
    return SyncDir(folder_.get(), sys_);
  }

 private:
  Status Write(ByteSpan bytes) override { return WriteAll(file_.get(), bytes, sys_); }

  Status AddHeader(const std::string& name, uint64_t size) {
    // Folders first, for readers that want them.
    for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
      const std::string folder = name.substr(0, slash);
      if (!written_.insert(folder).second) continue;
      TarEntry entry;
      entry.path = folder;
      entry.type = TarEntry::Type::kDirectory;
      entry.mode = 0755;
      TRY(writer_.Add(entry));
    }
    TarEntry entry;
    entry.path = name;
    entry.mode = 0644;
    entry.size = size;
    written_.insert(name);
    return writer_.Add(entry);
  }
  Status AddText(std::string_view name, std::string_view text) {
    TRY(AddHeader(std::string(name), text.size()));
    return writer_.WriteContent(AsBytes(text));
  }

  UniqueFd folder_;
  std::string name_;
  UniqueFd file_;
  Reference reference_;
  Syscalls& sys_;
  TarWriter writer_;
  std::set<std::string, std::less<>> written_;
  std::optional<Descriptor> top_;
  bool failed_ = false;
};

struct SplitPath {
  std::string folder, name;
};

SplitPath SplitAtName(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

}  // namespace

Result<std::unique_ptr<ImageSource>> OpenArchive(const Reference& reference, OpContext& ctx) {
  const auto open = [&]() -> Result<std::unique_ptr<ImageSource>> {
    UniqueFd file(::open(reference.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid()) return SysError(errno, "opening the archive");
    struct stat info {};
    if (::fstat(file.get(), &info) != 0) return SysError(errno, "looking at the archive");
    if (!S_ISREG(info.st_mode)) return Error(Errc::kInvalid, "an archive must be a regular file");
    ASSIGN_OR_RETURN(Members members, IndexMembers(file.get(), ctx));
    auto source = std::make_unique<ArchiveSource>(std::move(file), reference, std::move(members));
    TRY(source->ReadIndex(ctx));
    return std::unique_ptr<ImageSource>(std::move(source));
  };
  return open().While("opening ", Escape(reference.ToString()));
}

Result<std::unique_ptr<ImageDestination>> OpenArchiveForWriting(const Reference& reference, OpContext& ctx) {
  const auto open = [&]() -> Result<std::unique_ptr<ImageDestination>> {
    const auto [folder_path, name] = SplitAtName(reference.path);
    if (name.empty()) return Error(Errc::kInvalid, "the path names a folder");
    ASSIGN_OR_RETURN(UniqueFd folder, OpenDir(AT_FDCWD, folder_path, ctx.sys));
    const std::string unfinished = ArchiveDestination::Unfinished(name);
    UniqueFd file(ctx.sys.OpenAt(folder.get(), unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
    if (!file.valid()) return SysError(-file.get(), "creating the archive");
    auto destination =
        std::make_unique<ArchiveDestination>(std::move(folder), name, std::move(file), reference, ctx.sys);
    TRY(destination->Begin());
    return std::unique_ptr<ImageDestination>(std::move(destination));
  };
  return open().While("opening ", Escape(reference.ToString()));
}

}  // namespace hostapp
