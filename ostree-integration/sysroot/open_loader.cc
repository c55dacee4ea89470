// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/open_loader.h"

#include <algorithm>
#include <array>

#include "hostapp/base/durable.h"
#include "hostapp/base/json.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/sysroot/boot_sets.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxLoaderConfigBytes = 64 << 10;

}  // namespace

std::string LoaderConfigJson(const LoaderConfig& config) {
  return Json(Json::Object{{"loader", LoaderName(config.kind)}, {"boot", config.boot}, {"esp", config.esp}}).Pretty() +
         "\n";
}

Result<LoaderConfig> ParseLoaderConfig(std::string_view json) {
  ASSIGN_OR_RETURN(const Json document, ParseJson(json, kLoaderConfigName));
  const JsonCursor top(document, kLoaderConfigName);
  LoaderConfig config;
  ASSIGN_OR_RETURN(const std::string name, top.StringAt("loader"));
  const auto kind = ParseLoaderName(name);
  if (!kind) return top.Wrong(StrCat("loader \"", Escape(name), "\" is not known here"));
  config.kind = *kind;
  ASSIGN_OR_RETURN(config.boot, top.OptionalStringAt("boot"));
  ASSIGN_OR_RETURN(config.esp, top.OptionalStringAt("esp"));
  return config;
}

Result<LoaderConfig> ReadLoaderConfig(int hostapp_dir) {
  if (!Exists(hostapp_dir, kLoaderConfigName)) return LoaderConfig{};
  ASSIGN_OR_RETURN(const std::string json, ReadFile(hostapp_dir, kLoaderConfigName, kMaxLoaderConfigBytes));
  return ParseLoaderConfig(json);
}

Status WriteLoaderConfig(const Sysroot& sysroot, const LoaderConfig& config, OpContext& ctx) {
  return ReplaceFile(sysroot.hostapp(), kLoaderConfigName, AsBytes(LoaderConfigJson(config)), 0644, ctx.sys);
}

std::optional<LoaderKind> LoaderWithoutConfig(const Sysroot& sysroot) {
  if (!sysroot.has_boot() || Exists(sysroot.hostapp(), kLoaderConfigName)) return std::nullopt;
  constexpr std::array kKinds = {LoaderKind::kGrub, LoaderKind::kSystemdBoot, LoaderKind::kUboot};
  const auto* const found = std::find_if(kKinds.begin(), kKinds.end(), [&](LoaderKind kind) {
    return Exists(sysroot.boot(), StrCat(kBootSetsDir, "/", LoaderName(kind)));
  });
  return found == kKinds.end() ? std::nullopt : std::optional(*found);
}

Result<std::unique_ptr<Loader>> OpenLoader(const Sysroot& sysroot) {
  if (const auto kind = LoaderWithoutConfig(sysroot)) return MakeLoader(*kind, sysroot.boot());
  ASSIGN_OR_RETURN(const LoaderConfig config, ReadLoaderConfig(sysroot.hostapp()));
  return MakeLoader(sysroot.has_boot() ? config.kind : LoaderKind::kNone, sysroot.boot());
}

BootEntry EntryOf(const Deployment& deployment) {
  return {.serial = deployment.serial,
          .boot_set = deployment.boot_set,
          .arguments = deployment.kernel_arguments,
          .version = deployment.version.value_or(""),
          .proven = deployment.good};
}

}  // namespace hostapp
