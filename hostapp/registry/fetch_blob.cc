// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/fetch_blob.h"

#include <algorithm>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

// An attempt that brought less is one that brought nothing: else a server that gives a byte a connection would keep us
// for ever.
constexpr uint64_t kProgressBytes = uint64_t{16} << 10;

// One answer. Sends to the sink what it does not have yet and counts it.
class BlobReceiver : public HttpReceiver {
 public:
  BlobReceiver(const Descriptor& blob, uint64_t& position, ByteSink& sink, std::string_view host)
      : blob_(blob), position_(position), sink_(sink), host_(host) {}

  Status Begin(const HttpHead& head) override {
    if (head.content_type() == "text/html" && head.content_length() != blob_.size) return NotARegistry(host_);
    if (head.status == 206) return BeginPart(head);
    at_ = 0;
    const std::optional<uint64_t> length = head.content_length();
    if (length && *length != blob_.size) {
      return Error(Errc::kCorrupt, StrCat("expected ", blob_.size, " bytes, the registry has ", *length));
    }
    return Ok();
  }

  Status Body(ByteSpan bytes) override {
    if (bytes.size() > blob_.size - at_) {
      return Error(Errc::kCorrupt, StrCat("more than the ", blob_.size, " bytes expected"));
    }
    const uint64_t skip = std::min<uint64_t>(position_ > at_ ? position_ - at_ : 0, bytes.size());
    at_ += bytes.size();
    const ByteSpan fresh = bytes.subspan(static_cast<size_t>(skip));
    if (fresh.empty()) return Ok();
    TRY(sink_.Write(fresh));
    position_ += fresh.size();
    return Ok();
  }

  bool wrong_range() const { return wrong_range_; }

 private:
  Status BeginPart(const HttpHead& head) {
    const auto range = ParseContentRange(head.headers.Find("content-range").value_or(""));
    const bool right = range && range->first == position_ && range->total.value_or(blob_.size) == blob_.size;
    if (!right) {
      wrong_range_ = true;
      return Error(Errc::kUnavailable, "the registry sends another part of the blob than it was asked for");
    }
    at_ = position_;
    return Ok();
  }

  const Descriptor& blob_;
  uint64_t& position_;
  ByteSink& sink_;
  std::string_view host_;
  uint64_t at_ = 0;
  bool wrong_range_ = false;
};

// What a fetch learns from one attempt to the next.
struct Fetching {
  uint64_t position;
  bool ranges = true;  // the server can do them
};

Call BlobCall(const Session& session, const Descriptor& blob, const Fetching& state) {
  Call call;
  call.url = session.At(StrCat("blobs/", blob.digest.ToString()));
  call.scopes = session.Scopes("pull");
  if (state.position > 0 && state.ranges) call.headers.emplace_back("Range", StrCat("bytes=", state.position, "-"));
  return call;
}

// Nothing: done. Otherwise what stands in the way, and in `final` whether for good.
std::optional<Error> Attempt(Session& session, const Descriptor& blob, Fetching& state, ByteSink& sink, Answer& answer,
                             bool& final, OpContext& ctx) {
  BlobReceiver receiver(blob, state.position, sink, session.host());
  const bool asked_for_part = state.position > 0 && state.ranges;
  answer = session.Send(BlobCall(session, blob, state), receiver, ctx);
  final = false;
  const bool breaks_a_rule = !answer.accepted() && answer.ToError().code() == Errc::kCorrupt;
  if (asked_for_part && (receiver.wrong_range() || breaks_a_rule)) {
    // Once: the next attempt begins at the first byte and skips what we have. Some servers know ranges and answer them
    // with 416, another 4xx or a length that is none of the blob's.
    state.ranges = false;
    return answer.ToError();
  }
  final = !answer.worth_another_try();
  if (!answer.accepted()) return answer.ToError();
  if (state.position == blob.size) return std::nullopt;
  final = false;
  return Error(Errc::kCorrupt, StrCat("expected ", blob.size, " bytes, got ", state.position));
}

}  // namespace

Status FetchBlob(Session& session, const Descriptor& blob, uint64_t offset, ByteSink& sink, OpContext& ctx) {
  CHECK(offset <= blob.size);
  if (offset == blob.size) return Ok();
  const auto doing = [&](Error error, int attempts) {
    const std::string tries = attempts > 1 ? StrCat(" (attempt ", attempts, ")") : "";
    error.Prefix(StrCat("fetching ", blob.digest.Short(), " of ", session.host(), "/", session.repository(), tries));
    return error;
  };
  Backoff backoff(session.options().retry);
  Fetching state{.position = offset};
  for (;;) {
    const uint64_t before = state.position;
    Answer answer;
    bool final = false;
    std::optional<Error> error = Attempt(session, blob, state, sink, answer, final, ctx);
    if (!error) return Ok();
    if (final) return doing(*std::move(error), backoff.attempts());
    const uint64_t enough = std::min(kProgressBytes, blob.size / 64 + 1);
    if (state.position - before >= enough) backoff.NoteProgress();
    const Result<bool> again = backoff.WaitForAnother(answer.retry_after(ctx.clock.UnixSeconds()), ctx);
    if (!again.ok()) return doing(again.error(), backoff.attempts());
    if (!*again) return doing(*std::move(error), backoff.attempts());
    ctx.log.Debug(
        StrCat("fetching ", blob.digest.Short(), ": ", error->message(), "; going on at byte ", state.position));
  }
}

}  // namespace hostapp
