// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/boot_files.h"

namespace hostapp {
namespace {

constexpr std::string_view kModules = "usr/lib/modules/";
constexpr std::string_view kBootKernel = "boot/vmlinuz-";
constexpr std::string_view kBootInitramfs = "boot/initrd.img-";

struct ModulesPath {
  std::string_view version;
  std::string_view name;  // below the version's folder
};

std::optional<ModulesPath> SplitModulesPath(std::string_view path) {
  if (!path.starts_with(kModules)) return std::nullopt;
  path.remove_prefix(kModules.size());
  const size_t slash = path.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  return ModulesPath{.version = path.substr(0, slash), .name = path.substr(slash + 1)};
}

}  // namespace

bool IsBootFile(std::string_view path) {
  if (path.starts_with(kBootKernel) || path.starts_with(kBootInitramfs)) return true;
  const std::optional<ModulesPath> modules = SplitModulesPath(path);
  if (!modules) return false;
  return modules->name == "vmlinuz" || modules->name == "initramfs.img" || modules->name.starts_with("dtb/");
}

std::optional<std::string_view> KernelVersionOf(std::string_view path) {
  if (path.starts_with(kBootKernel)) return path.substr(kBootKernel.size());
  const std::optional<ModulesPath> modules = SplitModulesPath(path);
  if (!modules || modules->name != "vmlinuz") return std::nullopt;
  return modules->version;
}

}  // namespace hostapp
