// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/authenticator.h"

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

// "repository:team/os:pull" → "team/os".
std::vector<std::string> RepositoriesOf(const std::vector<std::string>& scopes) {
  std::vector<std::string> out;
  for (const std::string& scope : scopes) {
    const size_t first = scope.find(':');
    const size_t last = scope.rfind(':');
    if (first != std::string::npos && last > first) out.push_back(scope.substr(first + 1, last - first - 1));
  }
  return out;
}

std::string Parameter(const Challenge& challenge, std::string_view name) {
  const auto found = challenge.parameters.find(name);
  return found == challenge.parameters.end() ? "" : found->second;
}

}  // namespace

std::string Authenticator::CurrentLocked(const std::vector<std::string>& scopes) const {
  if (!basic_.empty()) return basic_;
  const auto found = bearer_by_scopes_.find(Join(scopes, " "));
  return found == bearer_by_scopes_.end() ? "" : found->second;
}

std::string Authenticator::Current(const std::vector<std::string>& scopes) const {
  const std::lock_guard lock(mutex_);
  return CurrentLocked(scopes);
}

Status Authenticator::Answer(const std::vector<std::string>& challenges, const std::vector<std::string>& scopes,
                             std::string_view used, OpContext& ctx) {
  const std::lock_guard lock(mutex_);
  if (CurrentLocked(scopes) != used) return Ok();
  bool asks_for_password = false;
  for (const std::string& header : challenges) {
    ASSIGN_OR_RETURN(const std::vector<Challenge> parsed, ParseChallenges(header));
    for (const Challenge& challenge : parsed) {
      if (challenge.scheme == "bearer") return AnswerBearer(challenge, scopes, ctx);
      asks_for_password = asks_for_password || challenge.scheme == "basic";
    }
  }
  if (!asks_for_password)
    return Error(Errc::kUnauthorized, "the registry asks for no kind of login that is known here");
  if (!credentials_ || credentials_->user.empty()) {
    return Error(Errc::kUnauthorized,
                 "the registry asks for user and password; put them into auth.json (podman login)");
  }
  const std::string basic = BasicAuthorization(*credentials_);
  if (used == basic)
    return Error(Errc::kUnauthorized, "the registry does not accept the user and password in auth.json");
  basic_ = basic;
  return Ok();
}

Status Authenticator::AnswerBearer(const Challenge& challenge, const std::vector<std::string>& scopes, OpContext& ctx) {
  ASSIGN_OR_RETURN(const Url realm, CheckRealm(registry_, Parameter(challenge, "realm")));
  const std::vector<std::string> asked = ChooseScopes(Parameter(challenge, "scope"), RepositoriesOf(scopes), scopes);
  const HttpRequest request = TokenRequest(registry_, realm, Parameter(challenge, "service"), asked, credentials_);
  ASSIGN_OR_RETURN(const std::string body,
                   fetch_(request, realm, ctx).While("asking the token server ", Escape(realm.host)));
  ASSIGN_OR_RETURN(const std::string token, ParseTokenAnswer(body));
  bearer_by_scopes_[Join(scopes, " ")] = StrCat("Bearer ", token);
  return Ok();
}

}  // namespace hostapp
