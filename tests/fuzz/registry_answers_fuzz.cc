// SPDX-License-Identifier: Apache-2.0
// What a registry and its token server say in headers and small bodies: challenges, tokens, URLs, ranges, errors.
#include <string>

#include "hostapp/base/strings.h"
#include "hostapp/registry/auth.h"
#include "hostapp/registry/http.h"
#include "hostapp/registry/url.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;

bool IsHeaderText(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

// Quoted, any value can be written again.
std::string Written(const std::vector<Challenge>& challenges) {
  std::string text;
  for (const Challenge& challenge : challenges) {
    text += StrCat(text.empty() ? "" : ", ", challenge.scheme);
    std::string_view before = " ";
    for (const auto& [name, value] : challenge.parameters) {
      text += StrCat(before, name, "=\"");
      for (const char c : value) text += c == '"' || c == '\\' ? StrCat('\\', c) : std::string(1, c);
      text += '"';
      before = ", ";
    }
  }
  return text;
}

// Wherever the challenge sends us, the password goes to nobody who could not have it already.
void CheckTokenRequest(const Url& registry, const Challenge& challenge) {
  const auto parameter = [&](std::string_view name) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string() : found->second;
  };
  const Result<Url> realm = CheckRealm(registry, parameter("realm"));
  if (!realm.ok()) {
    Require(realm.error().code() == Errc::kUntrusted);
    return;
  }
  Require(!realm->plain() || (registry.plain() && realm->host == registry.host));
  Require(!IsLinkLocal(realm->host) && (!IsLoopback(realm->host) || IsLoopback(registry.host)));
  const std::vector<std::string> wanted = {"repository:team/os:pull"};
  const std::vector<std::string> scopes = ChooseScopes(parameter("scope"), {"team/os"}, wanted);
  for (const std::string& scope : scopes) Require(scope.starts_with("repository:team/os:"));
  for (const Credentials& credentials : {Credentials{"user", "secret", ""}, Credentials{"user", "", "refresh"}}) {
    const HttpRequest request = TokenRequest(registry, *realm, parameter("service"), scopes, credentials);
    const bool sent = request.method == HttpRequest::Method::kPost || !request.headers.empty();
    Require(sent == (!registry.plain() || realm->host == registry.host));
    const Result<Url> url = ParseUrl(request.url);
    Require(url.ok() && SameOrigin(*url, *realm));
  }
  Require(TokenRequest(registry, *realm, "", {}, {}).headers.empty());
}

void CheckChallenges(std::string_view text) {
  const auto challenges = ParseChallenges(text);
  if (!challenges.ok()) {
    Require(challenges.error().code() == Errc::kCorrupt);
    return;
  }
  for (const Challenge& challenge : *challenges) {
    Require(!challenge.scheme.empty() && ToLower(challenge.scheme) == challenge.scheme);
    for (const auto& [name, value] : challenge.parameters) Require(ToLower(name) == name && IsHeaderText(value));
    for (const char* const registry :
         {"https://registry.example", "http://plain.example:5000", "http://127.0.0.1:5000"})
      CheckTokenRequest(*ParseUrl(registry), challenge);
  }
  const std::string written = Written(*challenges);
  const auto again = ParseChallenges(written);
  Require(written.size() > (size_t{16} << 10) || (again.ok() && *again == *challenges));
}

void CheckToken(std::string_view text) {
  const auto token = ParseTokenAnswer(text);
  if (!token.ok()) {
    Require(token.error().code() == Errc::kCorrupt);
    return;
  }
  Require(!token->empty() && token->size() <= kMaxTokenBytes && IsHeaderText(*token));
  Require(token->find(' ') == token->npos);
}

void CheckOneUrl(const Result<Url>& url) {
  if (!url.ok()) {
    Require(url.error().code() == Errc::kCorrupt);
    return;
  }
  Require((url->scheme == "http" || url->scheme == "https") && !url->host.empty() && url->port != 0);
  Require(ToLower(url->host) == url->host && url->host.find_first_of("/@?# \t\r\n") == url->host.npos);
  const auto again = ParseUrl(url->ToString());
  Require(again.ok() && SameOrigin(*again, *url) && again->target == url->target);
  Require(!IsLinkLocal(url->host) || !IsLoopback(url->host));
}

void CheckUrl(std::string_view text) {
  CheckOneUrl(ParseUrl(text));
  CheckOneUrl(ResolveUrl(*ParseUrl("https://registry.example/v2/team/os/blobs/uploads/?state=x"), text));
  const auto parts = SplitHostPort(text);
  if (!parts.ok()) return;
  const std::string port = parts->second == 0 ? "" : StrCat(":", parts->second);
  const auto again = SplitHostPort(parts->first + port);
  Require(again.ok() && *again == *parts);
}

void CheckRetryAfter(std::string_view text) {
  constexpr int64_t kNow = 1800000000;
  const auto seconds = ParseRetryAfter(text, kNow);
  if (!seconds) return;
  Require(ParseRetryAfter(StrCat(*seconds), kNow) == seconds);
}

void CheckRange(std::string_view text) {
  const auto range = ParseContentRange(text);
  if (!range) return;
  Require(range->first <= range->last && (!range->total || range->last < *range->total));
  const std::string total = range->total ? StrCat(*range->total) : "*";
  const auto again = ParseContentRange(StrCat("bytes ", range->first, "-", range->last, "/", total));
  Require(again && again->first == range->first && again->last == range->last && again->total == range->total);
}

// A quotation is short, and nothing in it can harm a terminal.
void CheckErrorBody(std::string_view text) {
  const std::string words = DescribeErrorBody(text);
  Require(words.size() <= 4 * 200 + 3 && Escape(words).size() <= 2 * words.size());
  Require(IsHeaderText(words) && IsValidUtf8(words));
}

void CheckHead(std::string_view text) {
  HttpHead head;
  const size_t colon = std::min(text.find(':'), text.size());
  head.headers.Add(text.substr(0, colon), Trim(text.substr(std::min(colon + 1, text.size()))));
  const std::string name = ToLower(text.substr(0, colon));
  Require(head.headers.Find(name).has_value() && head.headers.FindAll(name).size() == 1);
  const std::string type = head.content_type();
  Require(type.find(';') == type.npos && Trim(type) == type);
  if (const auto length = head.content_length()) Require(name == "content-length" && ParseUint64(StrCat(*length)));
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckChallenges, CheckToken,     CheckUrl, CheckRetryAfter,
                                                   CheckRange,      CheckErrorBody, CheckHead};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
