// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <mutex>

#include "hostapp/base/strings.h"
#include "hostapp/registry/registry.h"
#include "hostapp/registry/session.h"
#include "hostapp/registry/upload.h"

namespace hostapp {
namespace {

// What the registry is told that a document is. A header: only the four known names get there.
Result<std::string> ContentTypeOf(const Document& document) {
  constexpr std::string_view kKnown[] = {media_type::kOciIndex, media_type::kOciManifest, media_type::kDockerList,
                                         media_type::kDockerManifest};
  const auto known = [&](std::string_view type) {
    return std::find(std::begin(kKnown), std::end(kKnown), type) != std::end(kKnown);
  };
  ASSIGN_OR_RETURN(const auto parsed, ParseDocument(document));
  if (known(document.media_type)) return document.media_type;
  ASSIGN_OR_RETURN(const Json json, ParseJson(document.bytes, "manifest"));
  ASSIGN_OR_RETURN(const std::optional<std::string> own, JsonCursor(json, "manifest").OptionalStringAt("mediaType"));
  if (own && known(*own)) return *own;
  return std::string(std::holds_alternative<Index>(parsed) ? media_type::kOciIndex : media_type::kOciManifest);
}

class RegistryDestination : public ImageDestination {
 public:
  RegistryDestination(Reference reference, std::shared_ptr<Session> session)
      : reference_(std::move(reference)), session_(std::move(session)) {}

  Result<bool> HasBlob(const Descriptor& blob, OpContext& ctx) override {
    return BlobExists(*session_, blob, ctx)
        .While("asking ", session_->host(), "/", session_->repository(), " for ", blob.digest.Short());
  }

  Result<bool> TryReuseBlob(const Descriptor& blob, OpContext& ctx) override {
    for (const std::string& from : session_->options().mount_from) {
      if (from == session_->repository()) continue;
      Result<std::optional<UploadSession>> upload = MountBlob(*session_, blob, from, ctx);
      if (!upload.ok()) {
        // An offer, no more: sending the blob says what is really wrong.
        if (upload.error().code() == Errc::kCancelled) return std::move(upload).error();
        ctx.log.Debug(StrCat("mounting ", blob.digest.Short(), " from ", from, ": ", upload.error().message()));
        continue;
      }
      if (!upload->has_value()) return true;
      Remember(blob.digest, **std::move(upload));
    }
    return false;
  }

  Status PutBlob(const Descriptor& blob, int file, OpContext& ctx) override {
    return UploadBlob(*session_, blob, file, TakeUpload(blob.digest), ctx);
  }

  Status PutManifest(const Document& document, Tagged tagged, OpContext& ctx) override {
    const Digest digest = document.digest();
    if (tagged == Tagged::kYes && reference_.digest && *reference_.digest != digest) {
      return Error(Errc::kInvalid,
                   StrCat("sending to ", Escape(reference_.ToString()), ": the image's digest is ", digest.ToString()));
    }
    const std::string tag = reference_.tag.empty() && !reference_.digest ? "latest" : reference_.tag;
    const std::string name = tagged == Tagged::kYes && !tag.empty() ? tag : digest.ToString();
    return Put(document, name, ctx)
        .While("sending the manifest ", digest.Short(), " to ", session_->host(), "/", session_->repository());
  }

  Status Commit(OpContext& /*ctx*/) override { return Ok(); }

 private:
  Status Put(const Document& document, const std::string& name, OpContext& ctx) {
    ASSIGN_OR_RETURN(const std::string content_type, ContentTypeOf(document));
    Call call;
    call.method = HttpRequest::Method::kPut;
    call.url = session_->At(StrCat("manifests/", name));
    call.scopes = session_->Scopes("pull,push");
    call.headers.emplace_back("Content-Type", content_type);
    call.text = document.bytes;
    const Answer answer = session_->SendSmall(call, Session::kMaxSmallBody, ctx).answer;
    if (!answer.accepted()) return answer.ToError();
    const std::optional<std::string> stored = answer.head.headers.Find("docker-content-digest");
    if (stored && stored->starts_with("sha256:") && *stored != document.digest().ToString()) {
      return Error(Errc::kCorrupt, StrCat("the registry changed it: it has ", Escape(*stored), " now"));
    }
    return Ok();
  }

  void Remember(const Digest& digest, UploadSession upload) {
    const std::lock_guard lock(mutex_);
    begun_.insert_or_assign(digest, std::move(upload));
  }
  std::optional<UploadSession> TakeUpload(const Digest& digest) {
    const std::lock_guard lock(mutex_);
    const auto found = begun_.find(digest);
    if (found == begun_.end()) return std::nullopt;
    std::optional<UploadSession> upload(std::move(found->second));
    begun_.erase(found);
    return upload;
  }

  const Reference reference_;
  const std::shared_ptr<Session> session_;
  std::mutex mutex_;
  std::map<Digest, UploadSession> begun_;  // what a refused mount left open
};

}  // namespace

Result<std::unique_ptr<ImageDestination>> OpenRegistryForWriting(const Reference& reference,
                                                                 const RegistryOptions& options, OpContext& ctx) {
  ASSIGN_OR_RETURN(std::shared_ptr<Session> session, Session::Open(reference, options, ctx));
  return std::unique_ptr<ImageDestination>(std::make_unique<RegistryDestination>(reference, std::move(session)));
}

}  // namespace hostapp
