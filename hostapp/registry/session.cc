// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/session.h"

#include <algorithm>

#include "hostapp/base/strings.h"
#include "hostapp/registry/certs.h"

namespace hostapp {
namespace {

constexpr size_t kMaxErrorBody = size_t{16} << 10;
constexpr std::string_view kDockerHub = "docker.io";
constexpr std::string_view kDockerHubApi = "registry-1.docker.io";

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Lets a 2xx answer through and keeps the beginning of any other.
class Gate : public HttpReceiver {
 public:
  Gate(HttpReceiver& accepted, Answer& answer, TransferStats& stats)
      : accepted_(accepted), answer_(answer), stats_(stats) {}

  Status Begin(const HttpHead& head) override {
    answer_.head = head;
    if (answer_.accepted()) return accepted_.Begin(head);
    return Ok();
  }
  Status Body(ByteSpan bytes) override {
    stats_.bytes_downloaded += bytes.size();
    if (answer_.accepted()) return accepted_.Body(bytes);
    if (answer_.error_body.size() + bytes.size() > kMaxErrorBody) enough_ = true;
    // What an endless error says after its first words is nobody's interest.
    if (enough_) return Error(Errc::kCancelled, "enough");
    answer_.error_body += AsText(bytes);
    return Ok();
  }
  bool enough() const { return enough_; }

 private:
  HttpReceiver& accepted_;
  Answer& answer_;
  TransferStats& stats_;
  bool enough_ = false;
};

class StringReceiver : public HttpReceiver {
 public:
  explicit StringReceiver(uint64_t max_bytes) : max_bytes_(max_bytes) {}
  Status Begin(const HttpHead& head) override {
    body_.clear();
    if (head.content_length().value_or(0) > max_bytes_) return TooLong();
    return Ok();
  }
  Status Body(ByteSpan bytes) override {
    if (bytes.size() > max_bytes_ - body_.size()) return TooLong();
    body_ += AsText(bytes);
    return Ok();
  }
  std::string Take() { return std::move(body_); }

 private:
  Error TooLong() const {
    return Error(Errc::kCorrupt, StrCat("an answer of more than the ", max_bytes_, " bytes allowed"));
  }
  uint64_t max_bytes_;
  std::string body_;
};

std::string HostPort(const Url& url) {
  const bool usual = url.port == (url.plain() ? 80 : 443);
  return usual ? url.host : StrCat(url.host, ":", url.port);
}

// Where a redirect leads, if it may.
Result<Url> FollowRedirect(const Answer& answer, const Url& from) {
  const std::optional<std::string> location = answer.head.headers.Find("location");
  if (!location) return Error(Errc::kCorrupt, StrCat("answer ", answer.status(), " without a Location"));
  Result<Url> to = ResolveUrl(from, *location);
  const auto refuse = [&](std::string_view rule) {
    return Error(Errc::kUntrusted, StrCat("redirected to ", Escape(*location), ": ", rule));
  };
  if (!to.ok()) return refuse("no http or https URL");
  if (to->plain() && !from.plain()) return refuse("from TLS to a connection without it");
  if (IsLinkLocal(to->host)) return refuse("a link-local address");
  if (IsLoopback(to->host) && !IsLoopback(from.host)) return refuse("this machine's own address");
  return to;
}

// A redirect of a request that changes something must not turn it into another one.
bool MayRedirect(HttpRequest::Method method, int status) {
  const bool reads = method == HttpRequest::Method::kGet || method == HttpRequest::Method::kHead;
  return reads || status == 307 || status == 308;
}

}  // namespace

bool Answer::worth_another_try() const {
  if (error) return !receiver_failed && error->code() == Errc::kUnavailable;
  const int s = status();
  return s == 408 || s == 429 || (s >= 500 && s != 501 && s != 505);
}

std::optional<uint64_t> Answer::retry_after(int64_t now) const {
  if (error || (status() != 429 && status() != 503)) return std::nullopt;
  const std::optional<std::string> value = head.headers.Find("retry-after");
  return value ? ParseRetryAfter(*value, now) : std::nullopt;
}

Error Answer::ToError() const {
  if (error) return *error;
  std::string words = DescribeErrorBody(error_body);
  if (words.empty() && head.content_type() == "text/html") words = "a web page; is this a registry?";
  const std::string text =
      StrCat("the registry answers ", status(), words.empty() ? "" : " (", words, words.empty() ? "" : ")");
  if (status() == 404) return Error(Errc::kNotFound, text);
  if (status() == 401 || status() == 403) {
    return Error(Errc::kUnauthorized, StrCat(text, "; put credentials that may do this into auth.json (podman login)"));
  }
  if (worth_another_try()) return Error(Errc::kUnavailable, text);
  return Error(Errc::kCorrupt, text);
}

Error NotARegistry(std::string_view host) {
  return Error(Errc::kUnavailable, StrCat(Escape(host),
                                          " answers with a web page: this is not a registry, or the "
                                          "network wants a login first"));
}

Session::Session(Endpoint endpoint, Url base, RegistryOptions options, std::optional<Credentials> credentials)
    : endpoint_(std::move(endpoint)),
      base_(std::move(base)),
      options_(std::move(options)),
      http_(options_.http ? options_.http : NewCurlHttpClient()),
      stats_(options_.stats ? options_.stats : std::make_shared<TransferStats>()),
      authenticator_(base_, std::move(credentials),
                     [this](const HttpRequest& request, const Url& realm, OpContext& ctx) {
                       return FetchToken(request, realm, ctx);
                     }) {}

Result<std::shared_ptr<Session>> Session::Open(const Reference& reference, const RegistryOptions& options,
                                               OpContext& ctx) {
  if (reference.transport != Reference::Transport::kRegistry) {
    return Error(Errc::kInvalid, StrCat(Escape(reference.ToString()), ": not an image in a registry"));
  }
  const RegistryPaths& paths = options.paths;
  ASSIGN_OR_RETURN(const auto rules, LoadRegistriesConf(paths.registries_conf, paths.registries_conf_dir));
  Endpoint endpoint = FindEndpoint(rules, reference.host, reference.repository);
  if (endpoint.blocked) {
    return Error(Errc::kUnauthorized, StrCat(Escape(reference.ToString()), ": blocked by registries.conf"));
  }
  ASSIGN_OR_RETURN(std::optional<Credentials> credentials,
                   LoadCredentials(paths.auth_files, endpoint.host, endpoint.repository, ctx.log));
  if (endpoint.host == kDockerHub) {
    endpoint.host = kDockerHubApi;
    if (endpoint.repository.find('/') == std::string::npos) endpoint.repository = "library/" + endpoint.repository;
  }
  ASSIGN_OR_RETURN(Url base, ParseUrl(StrCat(endpoint.plain ? "http" : "https", "://", endpoint.host, "/v2/")));
  if (endpoint.plain) ctx.log.Debug(StrCat(endpoint.host, ": spoken to without TLS"));
  return std::shared_ptr<Session>(new Session(std::move(endpoint), std::move(base), options, std::move(credentials)));
}

Url Session::At(std::string_view rest) const {
  Url url = base_;
  url.target = StrCat("/v2/", endpoint_.repository, "/", rest);
  return url;
}

std::vector<std::string> Session::Scopes(std::string_view actions) const {
  return {StrCat("repository:", endpoint_.repository, ":", actions)};
}

Result<TlsSettings> Session::TlsFor(const Url& url) {
  if (url.plain()) return TlsSettings();
  return LoadTlsSettings(options_.paths.certs_dirs, SameOrigin(url, base_) ? endpoint_.host : HostPort(url));
}

Answer Session::SendOnce(const Call& call, const Url& url, const std::string& authorization, HttpReceiver& receiver,
                         OpContext& ctx) {
  Answer answer;
  answer.url = url;
  Result<TlsSettings> tls = TlsFor(url);
  if (!tls.ok()) {
    answer.error = std::move(tls).error();
    return answer;
  }
  HttpRequest request;
  request.method = call.method;
  request.url = url.ToString();
  request.headers = call.headers;
  if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
  request.tls = *std::move(tls);
  request.may_use_proxy = !IsLoopback(url.host);
  request.text = call.text;
  request.file = call.file;
  request.file_offset = call.file_offset;
  request.file_size = call.file_size;
  Gate gate(receiver, answer, *stats_);
  HttpOutcome outcome = http_->Perform(request, gate, ctx);
  stats_->bytes_uploaded += outcome.sent;
  if (outcome.error && !gate.enough()) {
    answer.error = std::move(outcome.error);
    answer.receiver_failed = outcome.failure == HttpFailure::kReceiver;
  }
  return answer;
}

Answer Session::SendLoggedIn(const Call& call, const Url& url, HttpReceiver& receiver, OpContext& ctx) {
  // What is ours stays with the registry's own host and port.
  const bool ours = SameOrigin(url, base_);
  // Twice: the first challenge, and a token that has run out since.
  for (int logins_left = ours ? 2 : 0;; --logins_left) {
    const std::string authorization = ours ? authenticator_.Current(call.scopes) : "";
    Answer answer = SendOnce(call, url, authorization, receiver, ctx);
    const std::vector<std::string> challenges = answer.head.headers.FindAll("www-authenticate");
    if (answer.status() != 401 || logins_left == 0 || challenges.empty()) {
      ++stats_->requests;
      return answer;
    }
    ++stats_->auth_requests;
    if (Status status = authenticator_.Answer(challenges, call.scopes, authorization, ctx); !status.ok()) {
      answer.error = std::move(status).error();
      // The token server was tried often enough already.
      answer.receiver_failed = true;
      return answer;
    }
  }
}

Answer Session::Send(const Call& call, HttpReceiver& receiver, OpContext& ctx) {
  Url url = call.url;
  for (int redirects = 0;; ++redirects) {
    Answer answer = SendLoggedIn(call, url, receiver, ctx);
    if (answer.error || !IsRedirect(answer.status()) || !MayRedirect(call.method, answer.status())) return answer;
    Result<Url> next = FollowRedirect(answer, url);
    if (redirects == kMaxRedirects) {
      next = Error(Errc::kCorrupt, StrCat("redirected more than ", kMaxRedirects, " times"));
    }
    if (!next.ok()) {
      answer.error = std::move(next).error();
      return answer;
    }
    url = *std::move(next);
  }
}

Session::SmallAnswer Session::SendSmall(const Call& call, uint64_t max_body, OpContext& ctx) {
  Backoff backoff(options_.retry);
  for (;;) {
    StringReceiver receiver(max_body);
    SmallAnswer small;
    small.answer = Send(call, receiver, ctx);
    small.body = receiver.Take();
    if (!small.answer.worth_another_try()) return small;
    const Result<bool> again = backoff.WaitForAnother(small.answer.retry_after(ctx.clock.UnixSeconds()), ctx);
    if (again.ok() && *again) continue;
    if (!again.ok()) small.answer.error = again.error();
    return small;
  }
}

Result<std::string> Session::FetchToken(const HttpRequest& request, const Url& realm, OpContext& ctx) {
  Call call;
  call.method = request.method;
  call.headers = request.headers;
  call.text = request.text;
  ASSIGN_OR_RETURN(call.url, ParseUrl(request.url));
  Backoff backoff(options_.retry);
  for (;;) {
    StringReceiver receiver(kMaxTokenBodyBytes);
    // No redirects: this request carries a password.
    const Answer answer = SendOnce(call, call.url, "", receiver, ctx);
    ++stats_->auth_requests;
    if (answer.accepted()) return receiver.Take();
    if (!answer.worth_another_try()) {
      return answer.status() == 401 || answer.status() == 403
                 ? Error(Errc::kUnauthorized, StrCat("login refused by ", Escape(realm.host), "; check auth.json"))
                 : answer.ToError();
    }
    ASSIGN_OR_RETURN(const bool again, backoff.WaitForAnother(answer.retry_after(ctx.clock.UnixSeconds()), ctx));
    if (!again) return answer.ToError();
  }
}

}  // namespace hostapp
