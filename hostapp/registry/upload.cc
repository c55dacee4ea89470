// SPDX-License-Identifier: Apache-2.0
// OCI distribution-spec, "Pushing blobs": POST begins an upload and names a Location; PATCH adds a piece and names the
// next Location; PUT with the digest ends it (and may carry the whole blob). GET on the Location tells how much of it
// the registry has, which is what makes an interrupted upload go on.
#include "hostapp/registry/upload.h"

#include <algorithm>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

class IgnoreBody : public HttpReceiver {
 public:
  Status Begin(const HttpHead& /*head*/) override { return Ok(); }
  Status Body(ByteSpan /*bytes*/) override { return Ok(); }
};

Result<Url> LocationOf(const Answer& answer) {
  const std::optional<std::string> location = answer.head.headers.Find("location");
  if (!location) return Error(Errc::kCorrupt, "the registry began an upload without saying where");
  ASSIGN_OR_RETURN(Url url, ResolveUrl(answer.url, *location));
  if (url.plain() && !answer.url.plain()) {
    return Error(Errc::kUntrusted, StrCat("the registry sends the upload to ", Escape(*location), ", without TLS"));
  }
  if (IsLinkLocal(url.host) || (IsLoopback(url.host) && !IsLoopback(answer.url.host))) {
    return Error(Errc::kUntrusted, StrCat("the registry sends the upload to ", Escape(*location)));
  }
  return url;
}

Result<UploadSession> SessionOf(const Session& session, const Answer& answer) {
  ASSIGN_OR_RETURN(Url location, LocationOf(answer));
  const uint64_t least = ParseUint64(answer.head.headers.Find("oci-chunk-min-length").value_or("0")).value_or(0);
  return UploadSession{.location = std::move(location),
                       .chunk_bytes = std::max(session.options().upload_chunk_bytes, least)};
}

Url WithQuery(Url url, std::string_view query) {
  url.target += StrCat(url.target.find('?') == std::string::npos ? "?" : "&", query);
  return url;
}

// "Range: 0-99": the registry has 100 bytes. "0-0" is written for none, too.
uint64_t BytesInRange(const Answer& answer) {
  std::string_view range;
  const std::string value = answer.head.headers.Find("range").value_or("");
  range = value;
  if (range.starts_with("bytes=")) range.remove_prefix(6);
  if (!range.starts_with("0-")) return 0;
  const uint64_t last = ParseUint64(range.substr(2)).value_or(0);
  return last == 0 ? 0 : last + 1;
}

// One blob's way to the registry.
class Upload {
 public:
  Upload(Session& session, const Descriptor& blob, int file, std::optional<UploadSession> begun)
      : session_(session), blob_(blob), file_(file), upload_(std::move(begun)), backoff_(session.options().retry) {}

  Status Run(OpContext& ctx) {
    for (;;) {
      const uint64_t before = offset_;
      again_ = false;
      Status status = Continue(ctx);
      if (status.ok() || !again_) return status;
      if (offset_ > before) backoff_.NoteProgress();
      ASSIGN_OR_RETURN(const bool again, backoff_.WaitForAnother(retry_after_, ctx));
      if (!again) return status;
      ctx.log.Debug(StrCat("sending ", blob_.digest.Short(), ": ", status.error().message(), "; going on"));
      ASSIGN_OR_RETURN(const bool done, Resynchronize(ctx));
      if (done) return Ok();
    }
  }

 private:
  Status Continue(OpContext& ctx) {
    if (!upload_) TRY(Begin(ctx));
    // Whole where that is allowed and nothing is there yet; one request less.
    if (offset_ == 0 && blob_.size <= upload_->chunk_bytes) return Finish(blob_.size, ctx);
    while (offset_ < blob_.size) TRY(SendPiece(ctx));
    return Finish(0, ctx);
  }

  Status Begin(OpContext& ctx) {
    const Answer answer = Send(HttpRequest::Method::kPost, session_.At("blobs/uploads/"), 0, ctx);
    if (!answer.accepted()) return answer.ToError();
    offset_ = 0;
    ASSIGN_OR_RETURN(upload_, SessionOf(session_, answer));
    return Ok();
  }

  Status SendPiece(OpContext& ctx) {
    const uint64_t size = std::min(upload_->chunk_bytes, blob_.size - offset_);
    const Answer answer = Send(HttpRequest::Method::kPatch, upload_->location, size, ctx);
    if (!answer.accepted()) return Lost(answer);
    ASSIGN_OR_RETURN(upload_->location, LocationOf(answer));
    offset_ += size;
    return Ok();
  }

  Status Finish(uint64_t size, OpContext& ctx) {
    const Url url = WithQuery(upload_->location, StrCat("digest=", PercentEncode(blob_.digest.ToString())));
    const Answer answer = Send(HttpRequest::Method::kPut, url, size, ctx);
    return answer.accepted() ? Ok() : Lost(answer);
  }

  // The registry stands elsewhere than we thought (an answer got lost, and libcurl sends a request again where a kept
  // connection breaks): ask it where, and go on there.
  Error Lost(const Answer& answer) {
    if (answer.status() == 404 || answer.status() == 416) again_ = true;
    return answer.ToError();
  }

  Answer Send(HttpRequest::Method method, const Url& url, uint64_t size, OpContext& ctx) {
    Call call;
    call.method = method;
    call.url = url;
    call.scopes = session_.Scopes("pull,push");
    if (size > 0) {
      call.headers.emplace_back("Content-Type", "application/octet-stream");
      call.file = file_;
      call.file_offset = offset_;
      call.file_size = size;
    }
    if (method == HttpRequest::Method::kPatch) {
      call.headers.emplace_back("Content-Range", StrCat(offset_, "-", offset_ + size - 1));
    }
    IgnoreBody ignore;
    Answer answer = session_.Send(call, ignore, ctx);
    again_ = answer.worth_another_try();
    retry_after_ = answer.retry_after(ctx.clock.UnixSeconds());
    return answer;
  }

  // After an interruption: how far is the registry? True: it has the whole blob (an answer got lost).
  Result<bool> Resynchronize(OpContext& ctx) {
    if (!upload_) return false;
    const Answer answer = Send(HttpRequest::Method::kGet, upload_->location, 0, ctx);
    if (answer.accepted() && BytesInRange(answer) <= blob_.size) {
      offset_ = BytesInRange(answer);
      if (answer.head.headers.Find("location")) {
        ASSIGN_OR_RETURN(upload_->location, LocationOf(answer));
      }
      return false;
    }
    if (answer.worth_another_try()) return false;
    // The upload is gone: finished, or forgotten.
    upload_.reset();
    offset_ = 0;
    return BlobExists(session_, blob_, ctx);
  }

  Session& session_;
  const Descriptor& blob_;
  const int file_;
  std::optional<UploadSession> upload_;
  Backoff backoff_;
  uint64_t offset_ = 0;  // what the registry has
  bool again_ = false;   // the last call's failure is worth another try
  std::optional<uint64_t> retry_after_;
};

}  // namespace

Result<bool> BlobExists(Session& session, const Descriptor& blob, OpContext& ctx) {
  Call call;
  call.method = HttpRequest::Method::kHead;
  call.url = session.At(StrCat("blobs/", blob.digest.ToString()));
  call.scopes = session.Scopes("pull,push");
  // The length it announces is the blob's; no body follows.
  const Answer answer = session.SendSmall(call, UINT64_MAX, ctx).answer;
  if (answer.accepted()) return true;
  if (answer.status() == 404) return false;
  return answer.ToError();
}

Result<std::optional<UploadSession>> MountBlob(Session& session, const Descriptor& blob, std::string_view from,
                                               OpContext& ctx) {
  Call call;
  call.method = HttpRequest::Method::kPost;
  call.url = WithQuery(session.At("blobs/uploads/"),
                       StrCat("mount=", PercentEncode(blob.digest.ToString()), "&from=", PercentEncode(from)));
  call.scopes = session.Scopes("pull,push");
  call.scopes.push_back(StrCat("repository:", from, ":pull"));
  const Answer answer = session.SendSmall(call, Session::kMaxSmallBody, ctx).answer;
  if (answer.status() == 201) return std::optional<UploadSession>();
  if (answer.status() != 202) return answer.ToError();
  ASSIGN_OR_RETURN(UploadSession upload, SessionOf(session, answer));
  return std::optional<UploadSession>(std::move(upload));
}

Status UploadBlob(Session& session, const Descriptor& blob, int file, std::optional<UploadSession> begun,
                  OpContext& ctx) {
  return Upload(session, blob, file, std::move(begun))
      .Run(ctx)
      .While("sending ", blob.digest.Short(), " to ", session.host(), "/", session.repository());
}

}  // namespace hostapp
