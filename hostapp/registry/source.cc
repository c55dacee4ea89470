// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "hostapp/base/strings.h"
#include "hostapp/registry/fetch_blob.h"
#include "hostapp/registry/registry.h"
#include "hostapp/registry/session.h"

namespace hostapp {
namespace {

constexpr std::string_view kWantedDocuments =
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

class RegistrySource : public ImageSource {
 public:
  RegistrySource(Reference reference, std::shared_ptr<Session> session)
      : reference_(std::move(reference)), session_(std::move(session)) {}

  Result<Document> FetchTop(OpContext& ctx) override {
    const std::string tag = reference_.tag.empty() ? "latest" : reference_.tag;
    const std::string name = reference_.digest ? reference_.digest->ToString() : tag;
    ASSIGN_OR_RETURN(
        Document document,
        FetchDocument(name, kMaxManifestBytes, ctx).While("fetching the manifest of ", Escape(reference_.ToString())));
    if (reference_.digest) TRY(CheckDigest(document, *reference_.digest));
    return document;
  }

  Result<Document> FetchManifest(const Descriptor& descriptor, OpContext& ctx) override {
    const std::string name = descriptor.digest.ToString();
    if (descriptor.size > kMaxManifestBytes) {
      return Error(Errc::kCorrupt, StrCat("manifest ", name, ": ", descriptor.size, " bytes, more than the ",
                                          kMaxManifestBytes, " allowed"));
    }
    ASSIGN_OR_RETURN(Document document, FetchDocument(name, descriptor.size, ctx)
                                            .While("fetching the manifest ", descriptor.digest.Short(), " of ",
                                                   Escape(reference_.ToString())));
    if (document.bytes.size() != descriptor.size) {
      return Error(Errc::kCorrupt,
                   StrCat("manifest ", name, ": expected ", descriptor.size, " bytes, got ", document.bytes.size()));
    }
    TRY(CheckDigest(document, descriptor.digest));
    return document;
  }

  Status Fetch(const Descriptor& blob, uint64_t offset, ByteSink& sink, OpContext& ctx) override {
    return FetchBlob(*session_, blob, offset, sink, ctx);
  }

 private:
  Result<Document> FetchDocument(const std::string& name, uint64_t max_bytes, OpContext& ctx) {
    Call call;
    call.url = session_->At(StrCat("manifests/", name));
    call.scopes = session_->Scopes("pull");
    call.headers.emplace_back("Accept", kWantedDocuments);
    Session::SmallAnswer small = session_->SendSmall(call, max_bytes, ctx);
    if (small.answer.head.content_type() == "text/html" && small.answer.accepted())
      return NotARegistry(session_->host());
    if (!small.answer.accepted()) return small.answer.ToError();
    Document document{.media_type = small.answer.head.content_type(), .bytes = std::move(small.body)};
    // What a server calls bytes that it does not know the kind of says nothing.
    if (document.media_type == "application/json" || document.media_type == "text/plain" ||
        document.media_type == "application/octet-stream") {
      document.media_type.clear();
    }
    WarnAboutDigestHeader(small.answer.head, document, ctx);
    return document;
  }

  // The header is the registry's word; the digest that counts is over the bytes.
  void WarnAboutDigestHeader(const HttpHead& head, const Document& document, OpContext& ctx) const {
    const std::optional<std::string> claimed = head.headers.Find("docker-content-digest");
    if (!claimed || !claimed->starts_with("sha256:") || *claimed == document.digest().ToString()) return;
    ctx.log.Warning(StrCat(session_->host(), " says that the manifest's digest is ", Escape(*claimed), ", but it is ",
                           document.digest().ToString()));
  }

  static Status CheckDigest(const Document& document, const Digest& expected) {
    const Digest got = Digest(HashOf(AsBytes(document.bytes), expected.algorithm()));
    if (got == expected) return Ok();
    return Error(Errc::kCorrupt,
                 StrCat("manifest ", expected.ToString(), ": the registry sent one with the digest ", got.ToString()));
  }

  const Reference reference_;
  const std::shared_ptr<Session> session_;
};

}  // namespace

Result<std::unique_ptr<ImageSource>> OpenRegistry(const Reference& reference, const RegistryOptions& options,
                                                  OpContext& ctx) {
  ASSIGN_OR_RETURN(std::shared_ptr<Session> session, Session::Open(reference, options, ctx));
  return std::unique_ptr<ImageSource>(std::make_unique<RegistrySource>(reference, std::move(session)));
}

}  // namespace hostapp
