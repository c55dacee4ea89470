// SPDX-License-Identifier: Apache-2.0
// HttpClient on libcurl. Handles are kept in a pool; each keeps its connections, and the one used last is taken first,
// so that one request after the other uses one connection. (libcurl cannot share connections between threads.)
#include <curl/curl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <mutex>

#include "hostapp/base/strings.h"
#include "hostapp/registry/http.h"
#include "hostapp/registry/url.h"

namespace hostapp {
namespace {

constexpr long kConnectSeconds = 20;
constexpr long kLowestBytesPerSecond = 512;
constexpr long kLowSpeedSeconds = 30;
constexpr size_t kMaxHeaderBytes = size_t{64} << 10;  // all headers of an answer and the interim answers before it
constexpr long kBufferBytes = 256L << 10;

struct FreeEasy {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
using EasyPtr = std::unique_ptr<CURL, FreeEasy>;

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using ListPtr = std::unique_ptr<curl_slist, FreeList>;

// One request while it runs; libcurl's callbacks come here.
struct Exchange {
  Exchange(const HttpRequest& r, HttpReceiver& v, OpContext& c) : request(r), receiver(v), ctx(c) {}

  const HttpRequest& request;
  HttpReceiver& receiver;
  OpContext& ctx;
  HttpHead head;
  size_t header_bytes = 0;
  bool begun = false;
  uint64_t sent = 0;
  std::optional<Error> error;  // ours or the receiver's; libcurl only hears "stop"
  HttpFailure failure = HttpFailure::kTransport;

  bool Stop(Error why, HttpFailure whose) {
    error = std::move(why);
    failure = whose;
    return false;
  }
  bool Header(std::string_view line);
  bool Body(ByteSpan bytes);
  bool Begin();
};

bool Exchange::Header(std::string_view line) {
  header_bytes += line.size();
  if (header_bytes > kMaxHeaderBytes) {
    return Stop(Error(Errc::kCorrupt, StrCat("more than ", kMaxHeaderBytes, " bytes of headers in the answer")),
                HttpFailure::kTransport);
  }
  if (line.starts_with("HTTP/")) {
    head = HttpHead();
    const size_t space = line.find(' ');
    const std::string_view status = space == std::string_view::npos ? "" : line.substr(space + 1, 3);
    head.status = static_cast<int>(ParseUint64(status).value_or(0));
    return true;
  }
  const std::string_view text = Trim(line);
  // The empty line ends an answer's headers; one with 1xx is followed by another.
  if (text.empty()) return head.status < 200 || Begin();
  if (begun) return true;  // trailers
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return true;
  head.headers.Add(text.substr(0, colon), Trim(text.substr(colon + 1)));
  return true;
}

bool Exchange::Begin() {
  if (begun) return true;
  begun = true;
  const std::string encoding = ToLower(head.headers.Find("content-encoding").value_or("identity"));
  if (encoding != "identity" && !encoding.empty()) {
    return Stop(Error(Errc::kCorrupt, StrCat("the answer is encoded as \"", Escape(encoding),
                                             "\", which was not asked for and would change its digest")),
                HttpFailure::kTransport);
  }
  if (Status status = receiver.Begin(head); !status.ok()) {
    return Stop(std::move(status).error(), HttpFailure::kReceiver);
  }
  return true;
}

bool Exchange::Body(ByteSpan bytes) {
  if (Status status = receiver.Body(bytes); !status.ok()) {
    return Stop(std::move(status).error(), HttpFailure::kReceiver);
  }
  return true;
}

size_t OnHeader(char* bytes, size_t /*one*/, size_t size, void* exchange) {
  return static_cast<Exchange*>(exchange)->Header({bytes, size}) ? size : 0;
}

size_t OnBody(char* bytes, size_t /*one*/, size_t size, void* exchange) {
  // Where zero would be a success: an empty piece.
  if (size == 0) return 0;
  return static_cast<Exchange*>(exchange)->Body(std::as_bytes(std::span(bytes, size))) ? size : 0;
}

size_t OnSend(char* buffer, size_t one, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const HttpRequest& request = exchange.request;
  const uint64_t all = request.file >= 0 ? request.file_size : request.text.size();
  const size_t size = static_cast<size_t>(std::min<uint64_t>(one * count, all - exchange.sent));
  if (size == 0) return 0;
  if (request.file < 0) {
    request.text.copy(buffer, size, exchange.sent);
    exchange.sent += size;
    return size;
  }
  ssize_t got = -1;
  do {
    got = ::pread(request.file, buffer, size, static_cast<off_t>(request.file_offset + exchange.sent));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    exchange.Stop(got < 0 ? SysError(errno, "reading what is to be sent")
                          : Error(Errc::kIo, "the file to be sent became shorter"),
                  HttpFailure::kTransport);
    return CURL_READFUNC_ABORT;
  }
  exchange.sent += static_cast<uint64_t>(got);
  return static_cast<size_t>(got);
}

// libcurl sends a request again when a kept connection turns out to be closed.
int OnRewind(void* user, curl_off_t offset, int origin) {
  if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Exchange*>(user)->sent = static_cast<uint64_t>(offset);
  return CURL_SEEKFUNC_OK;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Exchange*>(user)->ctx.cancel.cancelled() ? 1 : 0;
}

template <typename Value>
void Set(CURL* curl, CURLoption option, Value value) {
  CHECK(curl_easy_setopt(curl, option, value) == CURLE_OK);
}

const char* MethodName(HttpRequest::Method method) {
  switch (method) {
    case HttpRequest::Method::kGet:
      return "GET";
    case HttpRequest::Method::kHead:
      return "HEAD";
    case HttpRequest::Method::kPost:
      return "POST";
    case HttpRequest::Method::kPut:
      return "PUT";
    case HttpRequest::Method::kPatch:
      return "PATCH";
  }
  return "GET";
}

void SetMethod(CURL* curl, const HttpRequest& request, Exchange& exchange) {
  if (request.method == HttpRequest::Method::kGet) return;
  if (request.method == HttpRequest::Method::kHead) return Set(curl, CURLOPT_NOBODY, 1L);
  const uint64_t size = request.file >= 0 ? request.file_size : request.text.size();
  Set(curl, CURLOPT_UPLOAD, 1L);
  Set(curl, CURLOPT_CUSTOMREQUEST, MethodName(request.method));
  Set(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(size));
  Set(curl, CURLOPT_READFUNCTION, OnSend);
  Set(curl, CURLOPT_READDATA, &exchange);
  Set(curl, CURLOPT_SEEKFUNCTION, OnRewind);
  Set(curl, CURLOPT_SEEKDATA, &exchange);
}

void SetTls(CURL* curl, const TlsSettings& tls) {
  Set(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  Set(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  Set(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  if (!tls.extra_ca_pem.empty()) {
    // libcurl still reads the system's folder of certificates besides.
    curl_blob blob{
        .data = const_cast<char*>(tls.extra_ca_pem.data()), .len = tls.extra_ca_pem.size(), .flags = CURL_BLOB_COPY};
    Set(curl, CURLOPT_CAINFO_BLOB, &blob);
  }
  if (!tls.client_cert_file.empty()) {
    Set(curl, CURLOPT_SSLCERT, tls.client_cert_file.c_str());
    Set(curl, CURLOPT_SSLKEY, tls.client_key_file.c_str());
  }
}

void SetLimits(CURL* curl) {
  Set(curl, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  Set(curl, CURLOPT_LOW_SPEED_LIMIT, kLowestBytesPerSecond);
  Set(curl, CURLOPT_LOW_SPEED_TIME, kLowSpeedSeconds);
  Set(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  Set(curl, CURLOPT_FOLLOWLOCATION, 0L);
  Set(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  Set(curl, CURLOPT_BUFFERSIZE, kBufferBytes);
  Set(curl, CURLOPT_UPLOAD_BUFFERSIZE, kBufferBytes);
  Set(curl, CURLOPT_TCP_KEEPALIVE, 1L);
  Set(curl, CURLOPT_NOSIGNAL, 1L);
  // What a URL says is what is asked for: a server's "..", too.
  Set(curl, CURLOPT_PATH_AS_IS, 1L);
  Set(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  Set(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

void SetCallbacks(CURL* curl, Exchange& exchange) {
  Set(curl, CURLOPT_HEADERFUNCTION, OnHeader);
  Set(curl, CURLOPT_HEADERDATA, &exchange);
  Set(curl, CURLOPT_WRITEFUNCTION, OnBody);
  Set(curl, CURLOPT_WRITEDATA, &exchange);
  Set(curl, CURLOPT_XFERINFOFUNCTION, OnProgress);
  Set(curl, CURLOPT_XFERINFODATA, &exchange);
  Set(curl, CURLOPT_NOPROGRESS, 0L);
}

ListPtr HeaderList(const HttpRequest& request) {
  std::vector<std::string> lines = {"Accept-Encoding: identity",
                                    "Expect:", StrCat("User-Agent: hostapp/", HOSTAPP_VERSION)};
  for (const auto& [name, value] : request.headers) {
    // A line break in a value would be a header of the sender's choice. All callers have checked; this is the wall.
    CHECK(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    lines.push_back(StrCat(name, ": ", value));
  }
  ListPtr list;
  for (const std::string& line : lines) {
    curl_slist* longer = curl_slist_append(list.get(), line.c_str());
    CHECK(longer != nullptr);
    (void)list.release();
    list.reset(longer);
  }
  return list;
}

bool IsTlsError(CURLcode code) {
  return code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE ||
         code == CURLE_SSL_ISSUER_ERROR || code == CURLE_SSL_INVALIDCERTSTATUS || code == CURLE_SSL_CONNECT_ERROR ||
         code == CURLE_SSL_PINNEDPUBKEYNOTMATCH || code == CURLE_USE_SSL_FAILED || code == CURLE_SSL_CIPHER;
}

// A certificate is judged by a clock, and a device's may have lost its battery.
std::string ClockHint(OpContext& ctx) {
  if (PlausibleNow(ctx.clock)) return "";
  return StrCat("; the clock says ", FormatTime(ctx.clock.UnixSeconds()), ", set it first");
}

Error TransportError(CURL* curl, CURLcode code, const char* details, OpContext& ctx) {
  if (code == CURLE_ABORTED_BY_CALLBACK && ctx.cancel.cancelled()) return Error(Errc::kCancelled, "cancelled");
  const std::string words = Escape(*details != '\0' ? details : curl_easy_strerror(code));
  long verify = 0;
  curl_easy_getinfo(curl, CURLINFO_SSL_VERIFYRESULT, &verify);
  if (code == CURLE_SSL_CONNECT_ERROR && words.find("wrong version number") != std::string::npos) {
    return Error(Errc::kUntrusted,
                 "TLS: the other side does not speak it; if it is to be trusted without, call it insecure in "
                 "/etc/containers/registries.conf");
  }
  if (code == CURLE_SSL_CONNECT_ERROR && verify == 0) {
    // Also what a connection cut in the handshake looks like; but never a reason to go on without TLS.
    return Error(Errc::kUnavailable, StrCat("no TLS connection: ", words));
  }
  if (IsTlsError(code)) return Error(Errc::kUntrusted, StrCat("TLS: ", words, ClockHint(ctx)));
  if (code == CURLE_OPERATION_TIMEDOUT) return Error(Errc::kUnavailable, StrCat("too slow: ", words));
  if (code == CURLE_URL_MALFORMAT) return Error(Errc::kCorrupt, words);
  // An answer that is no HTTP is most often one that broke off, or somebody between who is not the registry.
  return Error(Errc::kUnavailable, words);
}

class CurlHttpClient : public HttpClient {
 public:
  CurlHttpClient() {
    static const CURLcode once = curl_global_init(CURL_GLOBAL_DEFAULT);
    CHECK(once == CURLE_OK);
  }

  HttpOutcome Perform(const HttpRequest& request, HttpReceiver& receiver, OpContext& ctx) override {
    if (ctx.cancel.cancelled()) return {.error = Error(Errc::kCancelled, "cancelled")};
    EasyPtr curl = TakeHandle();
    Exchange exchange(request, receiver, ctx);
    char details[CURL_ERROR_SIZE] = "";
    const ListPtr headers = HeaderList(request);
    SetLimits(curl.get());
    SetTls(curl.get(), request.tls);
    SetCallbacks(curl.get(), exchange);
    SetMethod(curl.get(), request, exchange);
    Set(curl.get(), CURLOPT_URL, request.url.c_str());
    Set(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    Set(curl.get(), CURLOPT_ERRORBUFFER, details);
    if (!request.may_use_proxy) Set(curl.get(), CURLOPT_PROXY, "");
    const CURLcode code = curl_easy_perform(curl.get());
    HttpOutcome outcome;
    outcome.sent = exchange.sent;
    if (exchange.error) {
      outcome.error = std::move(exchange.error);
      outcome.failure = exchange.failure;
    } else if (code != CURLE_OK) {
      outcome.error = TransportError(curl.get(), code, details, ctx);
    } else if (!exchange.begun) {
      outcome.error = Error(Errc::kUnavailable, "the connection ended before an answer");
    }
    // A handle whose transfer failed early (no such host) keeps its buffer, and libcurl 7.88 then refuses to be told
    // that buffer's size again. It has no connection worth keeping either.
    if (code != CURLE_OK) return outcome;
    // Options go, connections stay.
    curl_easy_reset(curl.get());
    PutBack(std::move(curl));
    return outcome;
  }

 private:
  EasyPtr TakeHandle() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      EasyPtr fresh(curl_easy_init());
      CHECK(fresh != nullptr);
      return fresh;
    }
    EasyPtr last = std::move(idle_.back());
    idle_.pop_back();
    return last;
  }
  void PutBack(EasyPtr curl) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(curl));
  }

  std::mutex mutex_;
  std::vector<EasyPtr> idle_;
};

}  // namespace

std::shared_ptr<HttpClient> NewCurlHttpClient() { return std::make_shared<CurlHttpClient>(); }

}  // namespace hostapp
