// SPDX-License-Identifier: Apache-2.0
// One HTTP request and its answer. No redirects, no retries, no authentication: those are decisions, taken above.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hostapp/base/bytes.h"
#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

// In the order they came, names in lower case.
class HttpHeaders {
 public:
  void Add(std::string_view name, std::string_view value);
  // The first of that (lower-case) name.
  std::optional<std::string> Find(std::string_view name) const;
  std::vector<std::string> FindAll(std::string_view name) const;

 private:
  std::vector<std::pair<std::string, std::string>> headers_;
};

// For one host: what it is trusted by and what it may ask of us. PEM texts and file names; empty: none.
struct TlsSettings {
  std::string extra_ca_pem;  // trusted besides the system's
  std::string client_cert_file;
  std::string client_key_file;

  bool operator==(const TlsSettings&) const = default;
};

struct HttpRequest {
  enum class Method { kGet, kHead, kPost, kPut, kPatch };

  Method method = Method::kGet;
  std::string url;                                           // http or https
  std::vector<std::pair<std::string, std::string>> headers;  // values without control characters
  TlsSettings tls;
  bool may_use_proxy = true;
  // The body: `text`, or where `file` is not -1, `file_size` bytes of it from `file_offset`.
  std::string text;
  int file = -1;
  uint64_t file_offset = 0;
  uint64_t file_size = 0;
};

struct HttpHead {
  int status = 0;  // 200..599: interim answers are not reported
  HttpHeaders headers;

  // Content-Length; nothing when missing or no number.
  std::optional<uint64_t> content_length() const;
  // Content-Type in lower case, without parameters.
  std::string content_type() const;
};

// Takes an answer as it comes. An error from either ends the request.
class HttpReceiver {
 public:
  virtual ~HttpReceiver() = default;
  virtual Status Begin(const HttpHead& head) = 0;  // once, before the body
  virtual Status Body(ByteSpan bytes) = 0;
};

enum class HttpFailure {
  kReceiver,  // the receiver ended it: `error` is its own
  kTransport  // the connection: worth another try if `error` is kUnavailable
};

struct HttpOutcome {
  std::optional<Error> error;  // nothing: the answer came whole
  HttpFailure failure = HttpFailure::kTransport;
  uint64_t sent = 0;  // bytes of the request's body
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // Blocks until the answer is complete. Thread-safe. Transport errors: kUnavailable (no connection, it broke, too
  // slow: under 512 bytes a second for half a minute), kUntrusted (TLS), kCorrupt (breaks HTTP, headers over their
  // limit), kCancelled, kIo (a file of `request`).
  virtual HttpOutcome Perform(const HttpRequest& request, HttpReceiver& receiver, OpContext& ctx) = 0;
};

// The libcurl client. Each request has a connection for itself while it runs and leaves it open for the next one;
// HTTP/2 where the other side has it over TLS; proxies from the environment.
std::shared_ptr<HttpClient> NewCurlHttpClient();

// An integer as Retry-After and friends have it: seconds or an HTTP date, as seconds from `now`; nothing if neither.
std::optional<uint64_t> ParseRetryAfter(std::string_view value, int64_t now);

struct ContentRange {
  uint64_t first = 0;
  uint64_t last = 0;
  std::optional<uint64_t> total;
};
// "bytes 5-9/10", "bytes 5-9/*"; nothing for anything else.
std::optional<ContentRange> ParseContentRange(std::string_view value);

// An error body for a message: the registry's own words from {"errors":[{"code","message"}]} if it is one, else the
// first line; escaped and short.
std::string DescribeErrorBody(std::string_view body);

}  // namespace hostapp
