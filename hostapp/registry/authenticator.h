// SPDX-License-Identifier: Apache-2.0
// Answers a registry's challenges, and keeps the tokens it got for as long as it lives.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/op_context.h"
#include "hostapp/registry/auth.h"

namespace hostapp {

class Authenticator {
 public:
  // Fetches a token server's whole answer, trying again as for anything else.
  using FetchToken = std::function<Result<std::string>(const HttpRequest&, const Url&, OpContext&)>;

  Authenticator(Url registry, std::optional<Credentials> credentials, FetchToken fetch)
      : registry_(std::move(registry)), credentials_(std::move(credentials)), fetch_(std::move(fetch)) {}

  // The Authorization header for requests in these scopes; empty as long as nobody has asked for one. Thread-safe.
  std::string Current(const std::vector<std::string>& scopes) const;

  // Gets what `challenges` (WWW-Authenticate values) ask for, unless another thread has since the request with `used`
  // was sent. kUnauthorized when we have nothing to offer. Thread-safe.
  Status Answer(const std::vector<std::string>& challenges, const std::vector<std::string>& scopes,
                std::string_view used, OpContext& ctx);

 private:
  std::string CurrentLocked(const std::vector<std::string>& scopes) const;
  Status AnswerBearer(const Challenge& challenge, const std::vector<std::string>& scopes, OpContext& ctx);

  const Url registry_;
  const std::optional<Credentials> credentials_;
  const FetchToken fetch_;
  mutable std::mutex mutex_;
  std::string basic_;
  std::map<std::string, std::string> bearer_by_scopes_;
};

}  // namespace hostapp
