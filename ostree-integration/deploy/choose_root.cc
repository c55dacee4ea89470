// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/choose_root.h"

#include <algorithm>

#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/module_list.h"
#include "ostree-integration/deploy/read_file.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxListBytes = 16 << 20;  // Debian's longest is a hundredth of it

// What depmod and the kernel's build left about the modules of one kernel; both empty: nothing.
struct ModuleLists {
  std::string folder;
  std::string built_in;  // modules.builtin
  std::string loadable;  // modules.dep
};

struct Need {
  std::string_view module;
  std::string_view feature;
};
constexpr Need kErofs{"erofs", "EROFS"}, kOverlay{"overlay", "overlayfs"}, kLoop{"loop", "loop devices"};

Result<std::string> ReadIfThere(const ImageStore& store, const std::string& commit, const std::string& path) {
  Result<std::string> text = ReadImageFile(store, commit, path, kMaxListBytes);
  if (!text.ok() && text.error().code() == Errc::kNotFound) return std::string();
  return text;
}

Result<ModuleLists> ReadModuleLists(const ImageStore& store, const std::string& commit, const std::string& version) {
  ModuleLists lists;
  for (const char* modules : {"lib/modules", "usr/lib/modules"}) {  // the first: an image whose /lib is a folder
    lists.folder = StrCat(modules, "/", version);
    ASSIGN_OR_RETURN(lists.built_in, ReadIfThere(store, commit, lists.folder + "/modules.builtin"));
    ASSIGN_OR_RETURN(lists.loadable, ReadIfThere(store, commit, lists.folder + "/modules.dep"));
    if (!lists.built_in.empty() || !lists.loadable.empty()) break;
  }
  return lists;
}

// A module that is listed and was taken out of the image is none.
Result<bool> Has(const ImageStore& store, const std::string& commit, const ModuleLists& lists,
                 std::string_view module) {
  if (!ModulePathIn(lists.built_in, module).empty()) return true;
  const std::string_view path = ModulePathIn(lists.loadable, module);
  if (path.empty()) return false;
  const Result<UniqueFd> file = OpenFile(store, commit, StrCat(lists.folder, "/", path));
  if (!file.ok() && file.error().code() != Errc::kNotFound) return file.error();
  return file.ok();
}

Result<std::string> WhatKernelLacks(const ImageStore& store, const std::string& commit, const std::string& version,
                                    const std::vector<Need>& needs) {
  ASSIGN_OR_RETURN(const ModuleLists lists, ReadModuleLists(store, commit, version));
  if (lists.built_in.empty() && lists.loadable.empty()) {
    return StrCat("the image does not say what its kernel ", Escape(version), " can do (no modules.builtin or ",
                  "modules.dep in ", Escape(lists.folder), ")");
  }
  std::vector<std::string> missing;
  for (const Need& need : needs) {
    ASSIGN_OR_RETURN(const bool has, Has(store, commit, lists, need.module));
    if (!has) missing.emplace_back(need.feature);
  }
  if (missing.empty()) return std::string();
  return StrCat("the kernel ", Escape(version), " of the image has no ", Join(missing, " and no "),
                " (neither built in nor as a module in ", Escape(lists.folder), ")");
}

// Why the image cannot have a composefs root; empty: it can.
Result<std::string> Obstacle(const ImageStore& store, const std::string& commit, const ImageTree& tree,
                             const std::string& version, const std::vector<Need>& needs) {
  const std::string& of_tree = tree.ObstacleToRootImage();
  if (!of_tree.empty()) return StrCat("the image has ", of_tree);
  return WhatKernelLacks(store, commit, version, needs);
}

}  // namespace

Result<RootChoice> ChooseRoot(const ImageStore& store, const std::string& commit, const ImageTree& tree,
                              const std::string& kernel_version, std::optional<RootKind> chosen) {
  if (chosen == RootKind::kCheckout) return RootChoice{.kind = RootKind::kCheckout, .reason = {}};
  std::vector<Need> needs = {kErofs, kOverlay};
  if (!chosen) needs.push_back(kLoop);
  ASSIGN_OR_RETURN(const std::string obstacle, Obstacle(store, commit, tree, kernel_version, needs));
  if (obstacle.empty()) return RootChoice{};
  if (!chosen) return RootChoice{.kind = RootKind::kCheckout, .reason = obstacle + ": a checkout root"};
  return Error(Errc::kCorrupt, StrCat("a composefs root was chosen, but ", obstacle, "; choose with: hostapp deploy ",
                                      "--root checkout"));
}

}  // namespace hostapp
