// SPDX-License-Identifier: Apache-2.0
// auth.json, as podman, skopeo and docker write it (containers-auth.json(5)).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/log.h"
#include "hostapp/base/result.h"

namespace hostapp {

struct Credentials {
  std::string user;
  std::string password;
  std::string identity_token;  // an OAuth2 refresh token, instead of a password

  bool operator==(const Credentials&) const = default;
};

// One file's credentials by its keys: "host", "host/repository/prefix".
using CredentialsFile = std::map<std::string, Credentials, std::less<>>;

// kCorrupt where the file is broken. Helper programs ("credHelpers", "credsStore") are not run: what they would have
// answered is missing, and `log` is told.
Result<CredentialsFile> ParseAuthFile(std::string_view text, std::string_view what, Log& log);

// What one file has for a repository of exactly this host ("docker.io" also under "https://index.docker.io/v1/"), the
// most specific key first.
std::optional<Credentials> FindCredentials(const CredentialsFile& file, std::string_view host,
                                           std::string_view repository);

// The first file that has something. Files that are missing, or that we may not read, are skipped; a broken one is an
// error: kCorrupt, kIo.
Result<std::optional<Credentials>> LoadCredentials(const std::vector<std::string>& files, std::string_view host,
                                                   std::string_view repository, Log& log);

}  // namespace hostapp
