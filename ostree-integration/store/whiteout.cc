// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/whiteout.h"

namespace hostapp {
namespace {

Error Refuse(const TarEntry& entry, std::string_view rule) {
  return Error(Errc::kCorrupt, StrCat("member ", Escape(entry.path), ": ", rule));
}

}  // namespace

Status CheckWhiteoutMember(const TarEntry& entry) {
  const std::vector<std::string_view> names = Split(entry.path, '/');
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    if (IsWhiteout(names[i])) return Refuse(entry, "it is below a whiteout");
  }
  const std::string_view name = names.back();
  if (!IsWhiteout(name)) return Ok();
  if (entry.type != TarEntry::Type::kFile) return Refuse(entry, "a whiteout must be a regular file");
  if (entry.size != 0) return Refuse(entry, "a whiteout must be empty");
  if (name == kOpaqueName) return Ok();
  const std::string_view target = WhiteoutTarget(name);
  if (target.empty() || target == "." || target == "..") return Refuse(entry, "a whiteout of no name");
  if (IsWhiteout(target)) return Refuse(entry, "a whiteout of a whiteout, or one that aufs left behind");
  return Ok();
}

}  // namespace hostapp
