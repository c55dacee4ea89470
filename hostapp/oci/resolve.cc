// SPDX-License-Identifier: Apache-2.0
#include "hostapp/base/strings.h"
#include "hostapp/oci/blob.h"

namespace hostapp {
namespace {

Status CheckNamedDigest(const Digest& named, const Document& document) {
  if (HashOf(AsBytes(document.bytes), named.algorithm()) == named.value()) return Ok();
  return Error(Errc::kCorrupt, StrCat("what came for ", named.ToString(), " has the digest ",
                                      Digest(HashOf(AsBytes(document.bytes), named.algorithm())).ToString()));
}

// A document fetched by a descriptor is what the descriptor says, whatever the source checked already.
Status CheckAgainstDescriptor(const Descriptor& descriptor, Document& document) {
  if (document.bytes.size() != descriptor.size) {
    return Error(Errc::kCorrupt, StrCat(descriptor.digest.ToString(), ": expected ", descriptor.size, " bytes, got ",
                                        document.bytes.size()));
  }
  TRY(CheckNamedDigest(descriptor.digest, document));
  // The transport's word for it is worth less than that of the index, which a digest covers.
  document.media_type = descriptor.media_type;
  return Ok();
}

}  // namespace

Result<ResolvedImage> ResolveImage(const Reference& reference, ImageSource& source, const Platform& platform,
                                   OpContext& ctx) {
  const auto resolve = [&]() -> Result<ResolvedImage> {
    ASSIGN_OR_RETURN(Document document, source.FetchTop(ctx));
    if (reference.digest) TRY(CheckNamedDigest(*reference.digest, document));
    const Digest top = reference.digest.value_or(document.digest());
    Digest digest = top;
    for (int depth = 0;; ++depth) {
      ASSIGN_OR_RETURN(auto parsed, ParseDocument(std::move(document)));
      if (Manifest* manifest = std::get_if<Manifest>(&parsed)) {
        manifest->digest = digest;
        return ResolvedImage{.manifest = std::move(*manifest), .top_digest = top};
      }
      if (depth == kMaxIndexDepth) {
        return Error(Errc::kCorrupt, StrCat("indexes nested deeper than ", kMaxIndexDepth));
      }
      ASSIGN_OR_RETURN(const Descriptor next, SelectPlatform(std::get<Index>(parsed), platform));
      if (next.size > kMaxManifestBytes) {
        return Error(Errc::kCorrupt, StrCat(next.digest.ToString(), ": ", next.size, " bytes, more than the ",
                                            kMaxManifestBytes, " allowed for a manifest"));
      }
      TRY(ctx.cancel.Check());
      ASSIGN_OR_RETURN(document, source.FetchManifest(next, ctx));
      TRY(CheckAgainstDescriptor(next, document));
      digest = next.digest;
    }
  };
  return resolve().While("resolving ", Escape(reference.ToString()));
}

}  // namespace hostapp
