// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/copy_image.h"

#include <fcntl.h>

#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/base/private_folder.h"
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/open_image.h"

namespace hostapp {
namespace {

// The folder for blobs on their way: the caller's, or one of our own.
class SpoolDir {
 public:
  static Result<SpoolDir> Open(const std::string& named, Syscalls& sys) {
    SpoolDir dir;
    if (!named.empty()) {
      ASSIGN_OR_RETURN(dir.named_, OpenDir(AT_FDCWD, named, sys));
      return dir;
    }
    Result<PrivateFolder> own = PrivateFolder::Make(TempParent(), "hostapp-copy-", sys);
    if (!own.ok()) return std::move(own).error();
    dir.own_.emplace(*std::move(own));
    return dir;
  }
  int fd() const { return own_ ? own_->fd() : named_.get(); }

 private:
  SpoolDir() = default;
  UniqueFd named_;
  std::optional<PrivateFolder> own_;
};

class Copy {
 public:
  Copy(ImageSource& source, ImageDestination& destination, int spool_dir, CopyReport& report, OpContext& ctx)
      : source_(source), destination_(destination), spool_dir_(spool_dir), report_(report), ctx_(ctx) {}

  // What `document` refers to, and then itself.
  Status Send(const Document& document, ImageDestination::Tagged tagged, int depth) {
    ASSIGN_OR_RETURN(const auto parsed, ParseDocument(document));
    if (const Manifest* manifest = std::get_if<Manifest>(&parsed)) {
      TRY(SendBlobsOf(*manifest));
    } else {
      TRY(SendManifestsOf(std::get<Index>(parsed), depth));
    }
    TRY(ctx_.cancel.Check());
    ++report_.manifests;
    return destination_.PutManifest(document, tagged, ctx_);
  }

 private:
  Status SendManifestsOf(const Index& index, int depth) {
    if (depth == kMaxIndexDepth) return Error(Errc::kCorrupt, StrCat("indexes nested deeper than ", kMaxIndexDepth));
    for (const Descriptor& entry : index.manifests) {
      if (!sent_.insert(entry.digest).second) continue;
      ASSIGN_OR_RETURN(Document document, source_.FetchManifest(entry, ctx_));
      document.media_type = entry.media_type;
      TRY(Send(document, ImageDestination::Tagged::kNo, depth + 1).While("manifest ", entry.digest.Short()));
    }
    return Ok();
  }

  Status SendBlobsOf(const Manifest& manifest) {
    std::vector<Descriptor> blobs = manifest.layers;
    blobs.push_back(manifest.config);
    for (size_t i = 0; i < blobs.size(); ++i) {
      if (!sent_.insert(blobs[i].digest).second) continue;
      TRY(ctx_.cancel.Check());
      ctx_.progress.Report({.stage = "copy",
                            .item = blobs[i].digest.ToString(),
                            .done = i,
                            .total = blobs.size(),
                            .unit = ProgressEvent::Unit::kItems});
      TRY(SendBlob(blobs[i]));
    }
    return Ok();
  }

  Status SendBlob(const Descriptor& blob) {
    ASSIGN_OR_RETURN(bool there, destination_.HasBlob(blob, ctx_));
    if (!there) {
      ASSIGN_OR_RETURN(there, destination_.TryReuseBlob(blob, ctx_));
    }
    if (there) {
      ++report_.blobs_reused;
      return Ok();
    }
    ASSIGN_OR_RETURN(const SpooledBlob spooled, SpoolBlob(spool_dir_, blob, source_, ctx_));
    report_.bytes_downloaded += spooled.downloaded;
    // Sent or not, verified bytes stay until they have arrived: the next run need not fetch them again.
    TRY(destination_.PutBlob(blob, spooled.file.get(), ctx_));
    ++report_.blobs_sent;
    report_.bytes_sent += blob.size;
    return RemoveFile(spool_dir_, spooled.name, ctx_.sys);
  }

  ImageSource& source_;
  ImageDestination& destination_;
  const int spool_dir_;
  CopyReport& report_;
  OpContext& ctx_;
  std::set<Digest> sent_;
};

// Two repositories of one registry: blobs can change hands there without coming here.
RegistryOptions WithMount(const Reference& source, const Reference& destination, RegistryOptions options) {
  const bool both = source.transport == Reference::Transport::kRegistry &&
                    destination.transport == Reference::Transport::kRegistry && source.host == destination.host;
  if (both) options.mount_from.push_back(source.repository);
  return options;
}

Result<Document> ChooseDocument(const Reference& reference, ImageSource& source,
                                const std::optional<Platform>& platform, OpContext& ctx) {
  if (platform) {
    ASSIGN_OR_RETURN(ResolvedImage image, ResolveImage(reference, source, *platform, ctx));
    return std::move(image.manifest.document);
  }
  ASSIGN_OR_RETURN(Document document, source.FetchTop(ctx));
  if (reference.digest && HashOf(AsBytes(document.bytes), reference.digest->algorithm()) != reference.digest->value()) {
    return Error(Errc::kCorrupt, StrCat("what came has the digest ", document.digest().ToString()));
  }
  return document;
}

}  // namespace

Result<CopyReport> CopyImage(const Reference& source, const Reference& destination, const CopyOptions& options,
                             OpContext& ctx) {
  const auto copy = [&]() -> Result<CopyReport> {
    ASSIGN_OR_RETURN(const SpoolDir spool, SpoolDir::Open(options.spool_dir, ctx.sys));
    ASSIGN_OR_RETURN(const std::unique_ptr<ImageSource> from, OpenSource(source, options.source_registry, ctx));
    ASSIGN_OR_RETURN(Document document, ChooseDocument(source, *from, options.platform, ctx));
    const RegistryOptions registry = WithMount(source, destination, options.destination_registry);
    ASSIGN_OR_RETURN(const std::unique_ptr<ImageDestination> to, OpenDestination(destination, registry, ctx));
    CopyReport report{.digest = document.digest()};
    Copy run(*from, *to, spool.fd(), report, ctx);
    // The commit point: the tag (a registry), the index file (the others).
    TRY(run.Send(document, ImageDestination::Tagged::kYes, 0));
    TRY(to->Commit(ctx));
    return report;
  };
  return copy().While("copying ", Escape(source.ToString()), " to ", Escape(destination.ToString()));
}

}  // namespace hostapp
