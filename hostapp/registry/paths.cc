// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>

#include "hostapp/base/strings.h"
#include "hostapp/registry/registry.h"

namespace hostapp {
namespace {

std::string Environment(const char* name) {
  // Nobody's environment decides for a program that runs with more rights than its caller.
  const char* value = ::secure_getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<std::string> AuthFiles() {
  if (const std::string file = Environment("REGISTRY_AUTH_FILE"); !file.empty()) return {file};
  std::vector<std::string> files;
  const std::string runtime_dir = Environment("XDG_RUNTIME_DIR");
  const std::string home = Environment("HOME");
  if (!runtime_dir.empty()) files.push_back(StrCat(runtime_dir, "/containers/auth.json"));
  if (::geteuid() == 0) files.emplace_back("/run/containers/0/auth.json");
  if (!home.empty()) {
    const std::string config_dir = Environment("XDG_CONFIG_HOME");
    files.push_back(StrCat(config_dir.empty() ? home + "/.config" : config_dir, "/containers/auth.json"));
    const std::string docker_dir = Environment("DOCKER_CONFIG");
    files.push_back(StrCat(docker_dir.empty() ? home + "/.docker" : docker_dir, "/config.json"));
  }
  files.emplace_back("/etc/hostapp/auth.json");
  return files;
}

}  // namespace

RegistryPaths DefaultRegistryPaths() {
  RegistryPaths paths;
  paths.auth_files = AuthFiles();
  paths.registries_conf = "/etc/containers/registries.conf";
  if (const std::string file = Environment("CONTAINERS_REGISTRIES_CONF"); !file.empty()) paths.registries_conf = file;
  paths.registries_conf_dir = "/etc/containers/registries.conf.d";
  paths.certs_dirs = {"/etc/containers/certs.d", "/etc/docker/certs.d"};
  return paths;
}

}  // namespace hostapp
