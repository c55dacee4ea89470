// SPDX-License-Identifier: Apache-2.0
// Which boot loader a device has: hostapp/loader.json on the physical root, written when it was installed.
#pragma once

#include <memory>

#include "ostree-integration/deploy/loaders/loader.h"
#include "ostree-integration/sysroot/deployment.h"
#include "ostree-integration/sysroot/sysroot.h"

namespace hostapp {

inline constexpr const char* kLoaderConfigName = "loader.json";  // in hostapp/

// loader.json. `boot` and `esp`: the file systems that hold boot sets and the loader itself, as root= has them
// ("PARTUUID=…"), where they are partitions of their own.
struct LoaderConfig {
  LoaderKind kind = LoaderKind::kNone;
  std::optional<std::string> boot;
  std::optional<std::string> esp;
  bool operator==(const LoaderConfig&) const = default;
};
std::string LoaderConfigJson(const LoaderConfig& config);
// kCorrupt with the path of what is wrong; unknown members are ignored.
Result<LoaderConfig> ParseLoaderConfig(std::string_view json);

// Without the file: no loader, the kernel comes from outside.
Result<LoaderConfig> ReadLoaderConfig(int hostapp_dir);
// Durable.
Status WriteLoaderConfig(const Sysroot& sysroot, const LoaderConfig& config, OpContext& ctx);

// The loader whose files are on the boot file system although loader.json is gone: it starts what they say, and must go
// on being told. Nothing where there is a loader.json, or no loader.
std::optional<LoaderKind> LoaderWithoutConfig(const Sysroot& sysroot);

// The adapter for this device; the one for no loader while the boot file system is not mounted. The sysroot outlives
// it.
Result<std::unique_ptr<Loader>> OpenLoader(const Sysroot& sysroot);

BootEntry EntryOf(const Deployment& deployment);

}  // namespace hostapp
