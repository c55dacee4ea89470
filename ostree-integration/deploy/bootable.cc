// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/bootable.h"

#include <algorithm>
#include <utility>

namespace hostapp {
namespace {

// Any type will do: /usr/sbin/init is a link to systemd.
Result<bool> HasName(const ImageStore& store, const std::string& commit, std::string_view dir, std::string_view name) {
  const Result<std::vector<TreeEntry>> entries = ListTree(store, commit, dir);
  if (!entries.ok() && entries.error().code() == Errc::kNotFound) return false;
  if (!entries.ok()) return entries.error();
  return std::any_of(entries->begin(), entries->end(), [&](const TreeEntry& entry) { return entry.name == name; });
}

}  // namespace

Status CheckBootable(const ImageStore& store, const std::string& commit) {
  constexpr std::pair<std::string_view, std::string_view> kInits[] = {
      {"usr/sbin", "init"}, {"sbin", "init"}, {"usr/lib/systemd", "systemd"}};
  for (const auto& [dir, name] : kInits) {
    ASSIGN_OR_RETURN(const bool found, HasName(store, commit, dir, name));
    if (found) return Ok();
  }
  return Error(Errc::kCorrupt,
               "the image cannot boot: none of usr/sbin/init, sbin/init and usr/lib/systemd/systemd is in it");
}

}  // namespace hostapp
