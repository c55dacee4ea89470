// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/registries_conf.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/base/toml.h"
#include "hostapp/registry/url.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxConfBytes = uint64_t{1} << 20;

Result<bool> BoolAt(const JsonCursor& table, std::string_view key) {
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> member, table.OptionalMember(key));
  if (!member) return false;
  return member->Bool();
}

Result<RegistryRule> ParseRule(const JsonCursor& table) {
  ASSIGN_OR_RETURN(const std::optional<std::string> prefix, table.OptionalStringAt("prefix"));
  ASSIGN_OR_RETURN(const std::optional<std::string> location, table.OptionalStringAt("location"));
  RegistryRule rule;
  rule.prefix = prefix.value_or("").empty() ? location.value_or("") : *prefix;
  rule.location = location.value_or("");
  if (rule.prefix.empty()) return table.Wrong("neither \"prefix\" nor \"location\"");
  const bool wildcard = rule.prefix.starts_with("*.");
  if (rule.location.empty() && !wildcard) rule.location = rule.prefix;
  for (std::string* name : {&rule.prefix, &rule.location}) {
    while (name->ends_with('/')) name->pop_back();
    if (name->find("://") != std::string::npos)
      return table.Wrong("a scheme has no place in \"prefix\" or \"location\"");
  }
  ASSIGN_OR_RETURN(rule.insecure, BoolAt(table, "insecure"));
  ASSIGN_OR_RETURN(rule.blocked, BoolAt(table, "blocked"));
  return rule;
}

// How much of `name` ("host/repository") a prefix takes; 0: it does not match.
size_t MatchLength(std::string_view prefix, std::string_view name) {
  if (prefix.starts_with("*.")) {
    const std::string_view host = name.substr(0, name.find('/'));
    // "*.example.com" is for names below example.com, whatever their port.
    const std::string_view bare = host.substr(0, host.find(':'));
    const std::string_view tail = prefix.substr(1);
    if (bare.size() > tail.size() && bare.ends_with(tail)) return host.size();
    return host.size() > tail.size() && host.ends_with(tail) ? host.size() : 0;
  }
  if (!name.starts_with(prefix)) return 0;
  const bool whole = name.size() == prefix.size() || name[prefix.size()] == '/';
  return whole ? prefix.size() : 0;
}

void AddRules(std::vector<RegistryRule>& rules, std::vector<RegistryRule> more) {
  for (RegistryRule& rule : more) {
    std::erase_if(rules, [&](const RegistryRule& earlier) { return earlier.prefix == rule.prefix; });
    rules.push_back(std::move(rule));
  }
}

Result<std::vector<RegistryRule>> LoadOne(const std::string& file) {
  Result<std::string> text = ReadFile(AT_FDCWD, file, kMaxConfBytes);
  if (!text.ok() && text.error().code() == Errc::kNotFound) return std::vector<RegistryRule>();
  if (!text.ok()) return std::move(text).error();
  return ParseRegistriesConf(*text, file);
}

}  // namespace

Result<std::vector<RegistryRule>> ParseRegistriesConf(std::string_view text, std::string_view what) {
  ASSIGN_OR_RETURN(const Json json, ParseToml(text, what));
  std::vector<RegistryRule> rules;
  ASSIGN_OR_RETURN(const std::optional<JsonCursor> registries, JsonCursor(json, what).OptionalMember("registry"));
  if (!registries) return rules;
  ASSIGN_OR_RETURN(const std::vector<JsonCursor> tables, registries->Elements());
  for (const JsonCursor& table : tables) {
    ASSIGN_OR_RETURN(RegistryRule rule, ParseRule(table));
    rules.push_back(std::move(rule));
  }
  return rules;
}

Result<std::vector<RegistryRule>> LoadRegistriesConf(const std::string& conf, const std::string& conf_dir) {
  std::vector<RegistryRule> rules;
  if (!conf.empty()) {
    ASSIGN_OR_RETURN(rules, LoadOne(conf));
  }
  if (conf_dir.empty() || !Exists(AT_FDCWD, conf_dir)) return rules;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(AT_FDCWD, conf_dir));
  for (const std::string& name : names) {
    if (!name.ends_with(".conf")) continue;
    ASSIGN_OR_RETURN(std::vector<RegistryRule> more, LoadOne(StrCat(conf_dir, "/", name)));
    AddRules(rules, std::move(more));
  }
  return rules;
}

Endpoint FindEndpoint(const std::vector<RegistryRule>& rules, std::string_view host, std::string_view repository) {
  const std::string name = StrCat(host, "/", repository);
  const RegistryRule* best = nullptr;
  size_t best_length = 0;
  for (const RegistryRule& rule : rules) {
    const size_t length = MatchLength(rule.prefix, name);
    // A wildcard takes a whole host, too; the plain name says it better.
    const bool better = length > best_length || (length == best_length && best != nullptr &&
                                                 best->prefix.starts_with("*.") && !rule.prefix.starts_with("*."));
    if (length > 0 && better) {
      best = &rule;
      best_length = length;
    }
  }
  std::string real = name;
  if (best != nullptr && !best->location.empty()) real = best->location + name.substr(best_length);
  const size_t slash = real.find('/');
  Endpoint endpoint{.host = real.substr(0, slash),
                    .repository = slash == std::string::npos ? "" : real.substr(slash + 1),
                    .plain = best != nullptr && best->insecure,
                    .blocked = best != nullptr && best->blocked};
  const auto parts = SplitHostPort(endpoint.host);
  if (parts.ok() && IsLoopback(parts->first)) endpoint.plain = true;
  return endpoint;
}

}  // namespace hostapp
