// SPDX-License-Identifier: Apache-2.0
// Talking to one repository of one registry: authentication, redirects, retries, counting.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostapp/oci/reference.h"
#include "hostapp/registry/authenticator.h"
#include "hostapp/registry/backoff.h"
#include "hostapp/registry/http.h"
#include "hostapp/registry/registries_conf.h"
#include "hostapp/registry/registry.h"
#include "hostapp/registry/url.h"

namespace hostapp {

inline constexpr int kMaxRedirects = 5;

// A request to the registry.
struct Call {
  HttpRequest::Method method = HttpRequest::Method::kGet;
  Url url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<std::string> scopes;
  std::string text;  // a small body
  int file = -1;     // or a large one
  uint64_t file_offset = 0;
  uint64_t file_size = 0;
};

// How a call ended.
struct Answer {
  std::optional<Error> error;  // of the transport or the receiver; an answer with any status is none
  bool receiver_failed = false;
  HttpHead head;
  std::string error_body;  // the beginning of the body of an answer that is not 2xx
  Url url;                 // that answered, after redirects

  int status() const { return error ? 0 : head.status; }
  bool accepted() const { return status() >= 200 && status() < 300; }
  // Whether the same call may do better later.
  bool worth_another_try() const;
  std::optional<uint64_t> retry_after(int64_t now) const;
  // What went wrong, as the class comment of registry.h has it. Only when not accepted().
  Error ToError() const;
};

class Session {
 public:
  static Result<std::shared_ptr<Session>> Open(const Reference& reference, const RegistryOptions& options,
                                               OpContext& ctx);

  // "/v2/<repository>/<rest>" at the registry.
  Url At(std::string_view rest) const;
  const std::string& repository() const { return endpoint_.repository; }
  const std::string& host() const { return endpoint_.host; }
  const RegistryOptions& options() const { return options_; }
  std::vector<std::string> Scopes(std::string_view actions) const;

  // One call: logs in when asked to, follows redirects (at most kMaxRedirects; never from TLS to none; credentials stay
  // with the registry). `receiver` gets a 2xx answer and no other. Thread-safe.
  Answer Send(const Call& call, HttpReceiver& receiver, OpContext& ctx);

  // A call with a small answer, repeated while that may help. Its body is at most `max_body` bytes (more: kCorrupt).
  struct SmallAnswer {
    Answer answer;
    std::string body;
  };
  SmallAnswer SendSmall(const Call& call, uint64_t max_body, OpContext& ctx);
  // For answers whose body nobody reads.
  static constexpr uint64_t kMaxSmallBody = uint64_t{64} << 10;

 private:
  Session(Endpoint endpoint, Url base, RegistryOptions options, std::optional<Credentials> credentials);

  Answer SendOnce(const Call& call, const Url& url, const std::string& authorization, HttpReceiver& receiver,
                  OpContext& ctx);
  Answer SendLoggedIn(const Call& call, const Url& url, HttpReceiver& receiver, OpContext& ctx);
  Result<std::string> FetchToken(const HttpRequest& request, const Url& realm, OpContext& ctx);
  Result<TlsSettings> TlsFor(const Url& url);

  const Endpoint endpoint_;
  const Url base_;
  const RegistryOptions options_;
  const std::shared_ptr<HttpClient> http_;
  const std::shared_ptr<TransferStats> stats_;
  Authenticator authenticator_;
};

// Why the registry's answer is none: a web page where a manifest or a blob should be.
Error NotARegistry(std::string_view host);

}  // namespace hostapp
