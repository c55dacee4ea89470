// SPDX-License-Identifier: Apache-2.0
// The files that say how registries are spoken to: auth.json and registries.conf.
#include <string>

#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"
#include "hostapp/registry/credentials.h"
#include "hostapp/registry/registries_conf.h"
#include "tests/fuzz/selected.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using fuzz::Require;

std::string Written(const CredentialsFile& file) {
  Json::Object auths;
  for (const auto& [key, value] : file) {
    Json::Object entry;
    if (!value.user.empty() || !value.password.empty())
      entry["auth"] = Base64Encode(AsBytes(StrCat(value.user, ":", value.password)));
    if (!value.identity_token.empty()) entry["identitytoken"] = value.identity_token;
    auths[key] = std::move(entry);
  }
  return Json(Json::Object{{"auths", std::move(auths)}}).Dump();
}

bool IsPrintable(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

void CheckAuthFile(std::string_view text) {
  testing::RecordingLog log;
  const auto file = ParseAuthFile(text, "auth.json", log);
  if (!file.ok()) {
    Require(file.error().code() == Errc::kCorrupt);
    return;
  }
  for (const auto& [key, value] : *file) {
    Require(value != Credentials() && IsPrintable(value.user + value.password + value.identity_token));
  }
  const auto again = ParseAuthFile(Written(*file), "auth.json", log);
  Require(again.ok() && *again == *file);
  // Of exactly this host, or of nobody.
  const auto found = FindCredentials(*file, "Registry.example:5000", "team/os");
  if (!found) return;
  bool ours = false;
  for (const char* const key :
       {"registry.example:5000/team/os", "registry.example:5000/team", "registry.example:5000"}) {
    const auto entry = file->find(key);
    ours = ours || (entry != file->end() && entry->second == *found);
  }
  Require(ours);
}

void CheckRegistriesConf(std::string_view text) {
  const auto rules = ParseRegistriesConf(text, "registries.conf");
  if (!rules.ok()) {
    Require(rules.error().code() == Errc::kCorrupt);
    return;
  }
  for (const RegistryRule& rule : *rules) {
    Require(rule.location.find("://") == rule.location.npos && rule.prefix.find("://") == rule.prefix.npos);
    Require(!rule.prefix.ends_with('/') && !rule.location.ends_with('/'));
  }
  for (const char* const host : {"registry.example:5000", "sub.example.com", "127.0.0.1:5000"}) {
    const Endpoint endpoint = FindEndpoint(*rules, host, "team/os");
    Require(endpoint.host.find('/') == endpoint.host.npos);
    // Nobody but a rule takes the lock off the door, or leads elsewhere.
    if (rules->empty()) Require(endpoint.host == host && endpoint.repository == "team/os" && !endpoint.blocked);
  }
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckAuthFile, CheckRegistriesConf};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
