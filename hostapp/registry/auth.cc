// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/auth.h"

#include <algorithm>

#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr size_t kMaxChallengeBytes = size_t{16} << 10;

bool IsTokenChar(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

// WWW-Authenticate = #( scheme [ 1*SP ( token68 / #( name "=" ( token / quoted-string ) ) ) ] ), where both lists use
// the same comma: a word is a new scheme unless "=" follows it.
class ChallengeParser {
 public:
  explicit ChallengeParser(std::string_view text) : text_(text) {}

  Result<std::vector<Challenge>> Parse() {
    std::vector<Challenge> out;
    for (SkipSeparators(); at_ < text_.size(); SkipSeparators()) {
      const std::string word = ToLower(Word());
      if (word.empty()) return Wrong();
      SkipBlanks();
      if (!TakeEquals()) {
        out.push_back({.scheme = word, .parameters = {}});
        SkipToken68();
        continue;
      }
      if (out.empty()) return Wrong();
      ASSIGN_OR_RETURN(std::string value, Value());
      if (!out.back().parameters.emplace(word, std::move(value)).second) return Wrong();
    }
    return out;
  }

 private:
  Error Wrong() const {
    return Error(Errc::kCorrupt, StrCat("a WWW-Authenticate header that is none: ", Escape(text_)));
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void SkipBlanks() {
    while (Peek() == ' ' || Peek() == '\t') ++at_;
  }
  void SkipSeparators() {
    while (Peek() == ' ' || Peek() == '\t' || Peek() == ',') ++at_;
  }
  std::string_view Word() {
    const size_t begin = at_;
    while (IsTokenChar(Peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  bool TakeEquals() {
    if (Peek() != '=') return false;
    ++at_;
    SkipBlanks();
    return true;
  }
  // "Negotiate YII…==": nothing that we could answer.
  void SkipToken68() {
    size_t end = at_;
    while (end < text_.size() && (IsTokenChar(text_[end]) || text_[end] == '/')) ++end;
    size_t padded = end;
    while (padded < text_.size() && text_[padded] == '=') ++padded;
    const bool ends_here = padded == text_.size() || text_[padded] == ',' || text_[padded] == ' ';
    // "name=value" is a parameter: its "=" is followed by something.
    if (end > at_ && ends_here && (padded > end || padded == text_.size() || text_[padded] == ',')) at_ = padded;
  }
  Result<std::string> Value() {
    if (Peek() != '"') {
      const std::string_view word = Word();
      if (word.empty()) return Wrong();
      return std::string(word);
    }
    std::string out;
    for (++at_; Peek() != '"'; ++at_) {
      if (Peek() == '\\') ++at_;
      if (at_ >= text_.size() || static_cast<unsigned char>(Peek()) < 0x20 || Peek() == 0x7f) return Wrong();
      out += Peek();
    }
    ++at_;
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

bool IsHeaderValue(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Result<std::optional<std::string>> TokenAt(const JsonCursor& root, std::string_view key) {
  ASSIGN_OR_RETURN(std::optional<std::string> token, root.OptionalStringAt(key));
  if (!token || token->empty()) return std::optional<std::string>();
  if (token->size() > kMaxTokenBytes) return root.Wrong(StrCat("a token over ", kMaxTokenBytes, " bytes"));
  if (!IsHeaderValue(*token)) return root.Wrong("a token with characters that no header may carry");
  return token;
}

}  // namespace

Result<std::vector<Challenge>> ParseChallenges(std::string_view header) {
  if (header.size() > kMaxChallengeBytes) return Error(Errc::kCorrupt, "a WWW-Authenticate header over 16 KiB");
  return ChallengeParser(header).Parse();
}

Result<Url> CheckRealm(const Url& registry, std::string_view realm) {
  const auto refuse = [&](std::string_view rule) {
    return Error(Errc::kUntrusted, StrCat("the registry sends us to the token server ", Escape(realm), ": ", rule));
  };
  Result<Url> url = ParseUrl(realm);
  if (!url.ok()) return refuse("no http or https URL");
  if (IsLinkLocal(url->host)) return refuse("a link-local address");
  if (IsLoopback(url->host) && !IsLoopback(registry.host)) return refuse("this machine's own address");
  if (url->plain() && !registry.plain()) return refuse("without TLS, though the registry has it");
  if (url->plain() && url->host != registry.host) return refuse("another host, without TLS");
  return url;
}

std::vector<std::string> ChooseScopes(std::string_view challenged, const std::vector<std::string>& repositories,
                                      const std::vector<std::string>& wanted) {
  std::vector<std::string> scopes;
  for (const std::string_view scope : Split(challenged, ' ')) {
    if (scope.empty()) continue;
    const bool ours = std::any_of(repositories.begin(), repositories.end(), [&](const std::string& repository) {
      return scope.starts_with(StrCat("repository:", repository, ":"));
    });
    if (!ours) return wanted;
    scopes.emplace_back(scope);
  }
  // Less than we know we need would only be asked for again at the next step.
  const bool enough = std::all_of(wanted.begin(), wanted.end(), [&](const std::string& scope) {
    return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
  });
  return enough ? scopes : wanted;
}

HttpRequest TokenRequest(const Url& registry, const Url& realm, std::string_view service,
                         const std::vector<std::string>& scopes, const std::optional<Credentials>& credentials) {
  // On plain HTTP anyone on the way could name another token server, and would then have our password.
  const bool may_send = !registry.plain() || realm.host == registry.host;
  std::string query;
  const auto add = [&](std::string_view name, std::string_view value) {
    query += StrCat(query.empty() ? "" : "&", name, "=", PercentEncode(value));
  };
  if (!service.empty()) add("service", service);
  HttpRequest request;
  request.url = realm.ToString();
  if (credentials && may_send && !credentials->identity_token.empty()) {
    add("scope", Join(scopes, " "));
    add("grant_type", "refresh_token");
    add("client_id", "hostapp");
    add("refresh_token", credentials->identity_token);
    request.method = HttpRequest::Method::kPost;
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    request.text = query;
    return request;
  }
  for (const std::string& scope : scopes) add("scope", scope);
  if (credentials && may_send) {
    if (!credentials->user.empty()) add("account", credentials->user);
    request.headers.emplace_back("Authorization", BasicAuthorization(*credentials));
  }
  if (!query.empty()) request.url += (realm.target.find('?') == std::string::npos ? "?" : "&") + query;
  return request;
}

Result<std::string> ParseTokenAnswer(std::string_view body) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(body, "the token server's answer", {.max_bytes = kMaxTokenBodyBytes}));
  const JsonCursor root(json, "the token server's answer");
  for (const std::string_view key : {"token", "access_token"}) {
    ASSIGN_OR_RETURN(std::optional<std::string> token, TokenAt(root, key));
    if (token) return *std::move(token);
  }
  return root.Wrong("no token in it");
}

std::string BasicAuthorization(const Credentials& credentials) {
  return StrCat("Basic ", Base64Encode(AsBytes(StrCat(credentials.user, ":", credentials.password))));
}

}  // namespace hostapp
