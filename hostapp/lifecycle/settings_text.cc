// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/settings_text.h"

#include <algorithm>
#include <array>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr std::array<std::string_view, 7> kKeyTypes = {"ssh-ed25519",
                                                       "ssh-rsa",
                                                       "ecdsa-sha2-nistp256",
                                                       "ecdsa-sha2-nistp384",
                                                       "ecdsa-sha2-nistp521",
                                                       "sk-ssh-ed25519@openssh.com",
                                                       "sk-ecdsa-sha2-nistp256@openssh.com"};
// crypt(5): those that are still meant for new passwords.
constexpr std::array<std::string_view, 7> kHashes = {"$y$", "$gy$", "$7$", "$2b$", "$2y$", "$6$", "$5$"};
constexpr size_t kShortestHash = 40;  // "$5$" with its 43 characters is longer

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  for (const std::string_view word : Split(line, ' ')) {
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

// A key's bytes begin with its type (RFC 4253, section 6.6): a number of 32 bits and as many characters.
bool IsKeyOf(std::string_view type, std::string_view base64) {
  const std::optional<std::string> bytes = Base64Decode(base64);
  if (!bytes || bytes->size() < 4 + type.size() + 32) return false;
  const std::string length = {0, 0, 0, static_cast<char>(type.size())};
  return bytes->starts_with(length) && std::string_view(*bytes).substr(4, type.size()) == type;
}

Result<std::string> ParseSshKey(std::string_view line) {
  if (line.starts_with("-----BEGIN")) {
    return Error(Errc::kInvalid, "this is a private key; the public one is beside it, in a file that ends in .pub");
  }
  if (Escape(line) != line)
    return Error(Errc::kInvalid, StrCat(Escape(line), ": there are characters of no key in it"));
  const std::vector<std::string_view> words = Words(line);
  const auto is_type = [](std::string_view word) {
    return std::find(kKeyTypes.begin(), kKeyTypes.end(), word) != kKeyTypes.end();
  };
  if (!is_type(words.front())) {
    const bool has_options = std::any_of(words.begin(), words.end(), is_type);
    return Error(Errc::kInvalid, has_options ? "options before a key are not taken: a line is TYPE KEY COMMENT"
                                             : StrCat(words.front().substr(0, 40), ": no known type of ssh key"));
  }
  if (words.size() > 1 && IsKeyOf(words.front(), words[1])) return std::string(line);
  return Error(Errc::kInvalid, StrCat("what follows ", words.front(), " is no key of this type"));
}

}  // namespace

Result<std::vector<std::string>> ParseSshKeys(std::string_view text) {
  std::vector<std::string> keys;
  const std::vector<std::string_view> lines = Split(text, '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = Trim(lines[i]);
    if (line.empty() || line.starts_with('#')) continue;
    ASSIGN_OR_RETURN(std::string key, ParseSshKey(line).While("line ", i + 1));
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return Error(Errc::kInvalid, "there is no key in it");
  return keys;
}

Result<std::string> ParsePasswordHash(std::string_view text) {
  const std::string_view hash = Trim(text);
  const bool known = std::any_of(kHashes.begin(), kHashes.end(), [&](auto prefix) { return hash.starts_with(prefix); });
  const bool clean = std::all_of(hash.begin(), hash.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::string_view(":*!;\\").find(c) == std::string_view::npos;
  });
  if (known && clean && hash.size() >= kShortestHash) return std::string(hash);
  return Error(Errc::kInvalid,
               "this is no line with a password's hash ($y$, $6$, $5$, $2b$, …) as `openssl passwd -6` or `mkpasswd` "
               "prints it");
}

std::optional<std::string> WithRootPassword(std::string_view shadow, const std::string& hash) {
  constexpr std::string_view kRoot = "root:";
  size_t line = 0;
  while (shadow.substr(line, kRoot.size()) != kRoot) {
    line = shadow.find('\n', line);
    if (line == std::string_view::npos) return std::nullopt;
    ++line;
  }
  const size_t field = line + kRoot.size();
  const size_t end = std::min(shadow.find_first_of(":\n", field), shadow.size());
  return StrCat(shadow.substr(0, field), hash, shadow.substr(end));
}

}  // namespace hostapp
