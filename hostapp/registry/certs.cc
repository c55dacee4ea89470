// SPDX-License-Identifier: Apache-2.0
#include "hostapp/registry/certs.h"

#include <fcntl.h>

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxCertificateBytes = uint64_t{1} << 20;

Status AddFolder(const std::string& folder, TlsSettings& tls) {
  if (!Exists(AT_FDCWD, folder)) return Ok();
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(AT_FDCWD, folder));
  const auto there = [&](const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const std::string& name : names) {
    const std::string path = StrCat(folder, "/", name);
    const std::string stem = name.substr(0, name.rfind('.'));
    if (name.ends_with(".crt")) {
      ASSIGN_OR_RETURN(const std::string pem, ReadFile(AT_FDCWD, path, kMaxCertificateBytes));
      if (pem.find("-----BEGIN ") == std::string::npos)
        return Error(Errc::kCorrupt, StrCat(path, ": no PEM certificate"));
      tls.extra_ca_pem += pem + "\n";
    } else if (name.ends_with(".cert")) {
      if (!there(stem + ".key")) return Error(Errc::kCorrupt, StrCat(path, ": its key ", stem, ".key is missing"));
      if (!tls.client_cert_file.empty()) continue;
      tls.client_cert_file = path;
      tls.client_key_file = StrCat(folder, "/", stem, ".key");
    } else if (name.ends_with(".key") && !there(stem + ".cert")) {
      return Error(Errc::kCorrupt, StrCat(path, ": its certificate ", stem, ".cert is missing"));
    }
  }
  return Ok();
}

}  // namespace

Result<TlsSettings> LoadTlsSettings(const std::vector<std::string>& certs_dirs, std::string_view host_port) {
  TlsSettings tls;
  // A host that came from a redirect is a name in these folders now; it must not be a path.
  if (host_port.find('/') != std::string_view::npos || host_port.starts_with('.')) return tls;
  for (const std::string& dir : certs_dirs) TRY(AddFolder(StrCat(dir, "/", host_port), tls));
  return tls;
}

}  // namespace hostapp
