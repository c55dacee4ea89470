// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/credentials.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxAuthFileBytes = uint64_t{1} << 20;

bool IsPrintable(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

std::string WithLowerHost(std::string_view key) {
  const size_t slash = std::min(key.find('/'), key.size());
  return ToLower(key.substr(0, slash)) + std::string(key.substr(slash));
}

// Old files have a URL for a key: "https://index.docker.io/v1/", "http://host:5000". Only its host counts.
std::string NormalKey(std::string_view written) {
  std::string key = WithLowerHost(written);  // of a URL, its scheme
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!key.starts_with(scheme)) continue;
    key.erase(0, scheme.size());
    key = ToLower(key.substr(0, key.find('/')));
  }
  while (key.ends_with('/')) key.pop_back();
  return key == "index.docker.io" || key == "registry-1.docker.io" ? "docker.io" : key;
}

Result<Credentials> ParseEntry(const JsonCursor& entry) {
  Credentials credentials;
  ASSIGN_OR_RETURN(const std::optional<std::string> auth, entry.OptionalStringAt("auth"));
  ASSIGN_OR_RETURN(const std::optional<std::string> identity, entry.OptionalStringAt("identitytoken"));
  if (identity) credentials.identity_token = *identity;
  if (auth && !auth->empty()) {
    const std::optional<std::string> plain = Base64Decode(*auth);
    const size_t colon = plain ? plain->find(':') : std::string::npos;
    if (colon == std::string::npos) return entry.Wrong("\"auth\" is not base64 of \"user:password\"");
    credentials.user = plain->substr(0, colon);
    credentials.password = plain->substr(colon + 1);
    // docker pads passwords with NULs in some versions.
    while (credentials.password.ends_with('\0')) credentials.password.pop_back();
  }
  if (!IsPrintable(credentials.user + credentials.password + credentials.identity_token)) {
    return entry.Wrong("control characters in credentials");
  }
  return credentials;
}

void WarnAboutHelpers(const JsonCursor& root, std::string_view what, Log& log) {
  if (const auto store = root.OptionalStringAt("credsStore"); store.ok() && store->has_value() && !(*store)->empty()) {
    log.Warning(StrCat(what, ": credentials helper \"", Escape(**store), "\" is not run; log in with a file instead"));
  }
  const auto helpers = root.OptionalMember("credHelpers");
  if (!helpers.ok() || !helpers->has_value()) return;
  const auto members = (*helpers)->Members();
  if (!members.ok()) return;
  for (const auto& [host, helper] : *members) {
    const std::string name = helper.String().ok() ? *helper.String() : "?";
    log.Warning(StrCat(what, ": credentials helper \"", Escape(name), "\" for ", Escape(host),
                       " is not run; log in with a file instead"));
  }
}

}  // namespace

Result<CredentialsFile> ParseAuthFile(std::string_view text, std::string_view what, Log& log) {
  CredentialsFile out;
  if (Trim(text).empty()) return out;  // podman treats an empty file as none
  ASSIGN_OR_RETURN(const Json json, ParseJson(text, what, {.max_bytes = kMaxAuthFileBytes}));
  const JsonCursor root(json, what);
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> auths, root.OptionalMember("auths"));
  WarnAboutHelpers(root, what, log);
  if (!auths) return out;
  ASSIGN_OR_RETURN(const auto entries, auths->Members());
  for (const auto& [key, entry] : entries) {
    ASSIGN_OR_RETURN(Credentials credentials, ParseEntry(entry));
    // An empty entry is what a credentials helper leaves behind.
    if (credentials != Credentials()) out.insert_or_assign(NormalKey(key), std::move(credentials));
  }
  return out;
}

std::optional<Credentials> FindCredentials(const CredentialsFile& file, std::string_view host,
                                           std::string_view repository) {
  const std::string host_key = NormalKey(host);
  std::string key = repository.empty() ? host_key : StrCat(host_key, "/", repository);
  for (;;) {
    if (const auto found = file.find(key); found != file.end()) return found->second;
    const size_t slash = key.rfind('/');
    if (slash == std::string::npos) return std::nullopt;
    key.resize(slash);
  }
}

Result<std::optional<Credentials>> LoadCredentials(const std::vector<std::string>& files, std::string_view host,
                                                   std::string_view repository, Log& log) {
  for (const std::string& file : files) {
    const Result<std::string> text = ReadFile(AT_FDCWD, file, kMaxAuthFileBytes);
    if (!text.ok()) {
      // A folder that may not be looked into is somebody else's, and so is its file.
      const bool none = text.error().code() == Errc::kNotFound || text.error().sys_errno() == EACCES ||
                        text.error().sys_errno() == ENOTDIR;
      if (none) continue;
      return text.error();
    }
    ASSIGN_OR_RETURN(const CredentialsFile parsed, ParseAuthFile(*text, file, log));
    if (std::optional<Credentials> found = FindCredentials(parsed, host, repository)) return found;
  }
  return std::optional<Credentials>();
}

}  // namespace hostapp
