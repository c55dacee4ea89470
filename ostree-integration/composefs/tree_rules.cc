// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/tree_rules.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "hostapp/base/strings.h"
#include "ostree-integration/composefs/tree.h"

namespace hostapp::composefs {
namespace {

constexpr char kNul = '\0';
constexpr size_t kMaxXattrNameBytes = 255;
constexpr size_t kMaxXattrValueBytes = 65535;
constexpr size_t kXattrOverhead = 7;  // an entry's header, doubled for the zeros behind it, as libcomposefs counts
constexpr size_t kXattrHeader = 12;

Status CheckXattr(const Xattr& xattr) {
  if (xattr.name.empty()) return Refused("an extended attribute without a name");
  if (xattr.name.size() > kMaxXattrNameBytes)
    return Refused(StrCat("an extended attribute's name of ", xattr.name.size(), " bytes, more than 255"));
  if (xattr.name.find(kNul) != xattr.name.npos) return Refused("an extended attribute's name has a zero byte in it");
  if (xattr.value.size() > kMaxXattrValueBytes)
    return Refused(StrCat(Escape(xattr.name), ": a value of ", xattr.value.size(), " bytes, more than 65535"));
  return Ok();
}

}  // namespace

size_t XattrBytes(std::span<const Xattr> xattrs) {
  size_t bytes = kXattrHeader;
  for (const Xattr& xattr : xattrs) bytes += kXattrOverhead + xattr.name.size() + xattr.value.size();
  return bytes;
}

Error Refused(std::string why) { return {Errc::kCorrupt, std::move(why)}; }

Status CheckName(std::string_view name) {
  if (name.empty()) return Refused("a name is empty");
  if (name.size() > kMaxNameBytes) return Refused(StrCat("a name of ", name.size(), " bytes, more than 255"));
  if (name == "." || name == "..") return Refused("no file can have that name");
  if (name.find('/') != name.npos) return Refused("a name has a slash in it");
  if (name.find(kNul) != name.npos) return Refused("a name has a zero byte in it");
  return Ok();
}

Status CheckXattrs(std::span<const Xattr> xattrs) {
  for (const Xattr& xattr : xattrs) TRY(CheckXattr(xattr));
  if (XattrBytes(xattrs) > kMaxXattrBytes)
    return Refused(StrCat("extended attributes of more than ", kMaxXattrBytes, " bytes"));
  if (xattrs.size() < 2) return Ok();
  std::vector<std::string_view> names;
  names.reserve(xattrs.size());
  for (const Xattr& xattr : xattrs) names.push_back(xattr.name);
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return Refused(StrCat("extended attribute ", Escape(*twice), " twice"));
  return Ok();
}

Status CheckText(std::string_view text, std::string_view what) {
  if (text.size() > kMaxTargetBytes)
    return Refused(StrCat(what, " of ", text.size(), " bytes, more than ", kMaxTargetBytes));
  if (text.find(kNul) != text.npos) return Refused(StrCat(what, " has a zero byte in it"));
  return Ok();
}

}  // namespace hostapp::composefs
