// SPDX-License-Identifier: Apache-2.0
// What a device is given with its disk: public keys, a password's hash, and the image's own /etc/shadow that it goes
// to.
#include <string>

#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/settings_text.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;

const std::string kHash = "$6$salt$" + std::string(86, 'x');

// One key a line, nothing but text in it, and reading them again gives the same.
void CheckKeys(std::string_view text) {
  const auto keys = ParseSshKeys(text);
  if (!keys.ok()) {
    Require(keys.error().code() == Errc::kInvalid && keys.error().message().find('\n') == std::string::npos);
    return;
  }
  Require(!keys->empty());
  for (const std::string& key : *keys) {
    Require(Escape(key) == key && Trim(key) == key);
    Require(key.starts_with("ssh-") || key.starts_with("ecdsa-sha2-") || key.starts_with("sk-"));
  }
  const auto again = ParseSshKeys(Join(*keys, "\n"));
  Require(again.ok() && *again == *keys);
}

// What stands in a field of /etc/shadow stays in it; a password that was given by mistake is in no message.
void CheckHash(std::string_view text) {
  const auto hash = ParsePasswordHash(text);
  if (!hash.ok()) {
    Require(hash.error().code() == Errc::kInvalid);
    Require(hash.error().message() == ParsePasswordHash("").error().message());
    return;
  }
  Require(hash->starts_with('$') && hash->find_first_of(":\n \\!*") == hash->npos);
  const auto shadow = WithRootPassword("root:*:1:2:3:4:5:6:\n", *hash);
  Require(shadow && Split(*shadow, ':').size() == 9);
}

// One field changes.
void CheckShadow(std::string_view text) {
  const auto changed = WithRootPassword(text, kHash);
  Require(changed.has_value() == (text.starts_with("root:") || text.find("\nroot:") != text.npos));
  if (!changed) return;
  const auto again = WithRootPassword(*changed, kHash);
  Require(again && *again == *changed && Split(*changed, '\n').size() == Split(text, '\n').size());
  const size_t line = text.starts_with("root:") ? 0 : text.find("\nroot:") + 1;
  Require(changed->substr(0, line + 5) == text.substr(0, line + 5) && changed->substr(line + 5, kHash.size()) == kHash);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckKeys, CheckHash, CheckShadow};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
