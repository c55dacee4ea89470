// SPDX-License-Identifier: Apache-2.0
// URLs, parsed by libcurl: what is checked here is what will be connected to, with no second opinion between.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/base/result.h"

namespace hostapp {

struct Url {
  std::string scheme;  // "http" or "https"
  std::string host;    // lower case; IPv6 addresses in brackets
  uint16_t port = 0;   // the scheme's own where none is written
  std::string target;  // path and query, "/v2/x?y=z"

  std::string ToString() const;
  bool plain() const { return scheme == "http"; }
};

// kCorrupt: no URL, another scheme, a user name in it, control characters.
Result<Url> ParseUrl(std::string_view text);
// `location` as a Location header has it: absolute, or relative to `base`. Fragments are dropped.
Result<Url> ResolveUrl(const Url& base, std::string_view location);

bool SameOrigin(const Url& a, const Url& b);

// 127.0.0.0/8, ::1, "localhost" and names below it. `host` as in Url.
bool IsLoopback(std::string_view host);
// 169.254.0.0/16 and fe80::/10: where clouds keep their metadata services, and no registry lives.
bool IsLinkLocal(std::string_view host);

// Splits "registry.example:5000" into host and port (0: none). kCorrupt for what is neither.
Result<std::pair<std::string, uint16_t>> SplitHostPort(std::string_view text);

std::string PercentEncode(std::string_view text);

}  // namespace hostapp
