// SPDX-License-Identifier: Apache-2.0
// registries.conf (containers-registries.conf(5), version 2): which registries are plain, blocked, or somewhere else.
// Read are prefix, location, insecure and blocked of [[registry]]; mirrors are not (yet).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/result.h"

namespace hostapp {

struct RegistryRule {
  std::string prefix;    // "host", "host/repository/part", or "*.example.com"
  std::string location;  // what the prefix is replaced by
  // Plain HTTP only. (Elsewhere the word also means TLS without a check of the certificate; here nothing does.)
  bool insecure = false;
  bool blocked = false;

  bool operator==(const RegistryRule&) const = default;
};

// kCorrupt, with the line or the key.
Result<std::vector<RegistryRule>> ParseRegistriesConf(std::string_view text, std::string_view what);

// The file `conf`, then "*.conf" in `conf_dir` in order of their names; a later rule for the same prefix replaces an
// earlier one. What is missing is empty.
Result<std::vector<RegistryRule>> LoadRegistriesConf(const std::string& conf, const std::string& conf_dir);

// Where an image is really fetched from.
struct Endpoint {
  std::string host;  // "registry.example:5000"
  std::string repository;
  bool plain = false;  // HTTP without TLS: the rule says `insecure`, or the host is on loopback
  bool blocked = false;
};

// By the rule with the longest matching prefix.
Endpoint FindEndpoint(const std::vector<RegistryRule>& rules, std::string_view host, std::string_view repository);

}  // namespace hostapp
