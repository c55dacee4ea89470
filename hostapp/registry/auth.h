// SPDX-License-Identifier: Apache-2.0
// What a registry wants before it answers: RFC 9110 challenges, Docker's token protocol, OAuth2 refresh tokens.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/result.h"
#include "hostapp/registry/credentials.h"
#include "hostapp/registry/http.h"
#include "hostapp/registry/url.h"

namespace hostapp {

inline constexpr size_t kMaxTokenBodyBytes = size_t{1} << 20;
inline constexpr size_t kMaxTokenBytes = size_t{32} << 10;

struct Challenge {
  std::string scheme;                                          // lower case: "bearer", "basic"
  std::map<std::string, std::string, std::less<>> parameters;  // names in lower case

  bool operator==(const Challenge&) const = default;
};

// The challenges of one WWW-Authenticate value; kCorrupt where it breaks the grammar or is over 16 KiB.
Result<std::vector<Challenge>> ParseChallenges(std::string_view header);

// The token server that a Bearer challenge names, if we may talk to it: over TLS; or, when the registry itself is
// plain, over HTTP on the registry's own host. Never at a link-local address; on loopback only when the registry is
// there too. kUntrusted otherwise, with the rule.
Result<Url> CheckRealm(const Url& registry, std::string_view realm);

// The challenge's scope where it asks for nothing but repositories of `repositories`, else what `wanted` says: a
// registry does not widen what we ask for.
std::vector<std::string> ChooseScopes(std::string_view challenged, const std::vector<std::string>& repositories,
                                      const std::vector<std::string>& wanted);

// The request for a token. User and password go along only to the registry's own host or over TLS from a registry that
// was itself spoken to over TLS.
HttpRequest TokenRequest(const Url& registry, const Url& realm, std::string_view service,
                         const std::vector<std::string>& scopes, const std::optional<Credentials>& credentials);

// The token in a token server's answer ("token" or "access_token"): kCorrupt if there is none, or one that is no header
// value.
Result<std::string> ParseTokenAnswer(std::string_view body);

// "Basic …".
std::string BasicAuthorization(const Credentials& credentials);

}  // namespace hostapp
