// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/layer_rules.h"

#include <algorithm>
#include <array>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

using Type = TarEntry::Type;

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kMeta = ".wh..wh.";
constexpr std::string_view kOpaqueName = ".wh..wh..opq";

Error Wrong(const TarEntry& entry, std::string_view rule) {
  return Error(Errc::kCorrupt, StrCat("layer member ", Escape(entry.path), ": ", rule));
}

std::string_view FolderOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

bool HasWhiteoutComponent(std::string_view path) {
  for (const std::string_view component : Split(path, '/')) {
    if (component.starts_with(kWhiteout)) return true;
  }
  return false;
}

// Little-endian numbers, as the kernel keeps them in xattrs on every machine.
uint32_t Le(std::string_view bytes, size_t at, size_t size) {
  uint32_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// linux/capability.h: a word with version and flags, two pairs of words, and in version 3 the root's uid.
bool IsCapability(std::string_view value) {
  if (value.size() != 20 && value.size() != 24) return false;
  const uint32_t magic = Le(value, 0, 4);
  constexpr uint32_t kEffective = 1;
  const uint32_t version = magic & 0xff000000;
  if ((magic & ~(0xff000000 | kEffective)) != 0) return false;
  return version == (value.size() == 20 ? 0x02000000u : 0x03000000u);
}

// linux/posix_acl_xattr.h: version 2, then entries of tag, permissions, id; fs/posix_acl.c, posix_acl_valid(), says in
// which order: owner, users, group, groups, mask, others.
bool IsAcl(std::string_view value) {
  constexpr uint32_t kUserObj = 0x01, kUser = 0x02, kGroupObj = 0x04, kGroup = 0x08, kMask = 0x10, kOther = 0x20;
  if (value.size() < 4 || (value.size() - 4) % 8 != 0 || Le(value, 0, 4) != 2) return false;
  uint32_t last = 0, seen = 0;
  for (size_t at = 4; at < value.size(); at += 8) {
    const uint32_t tag = Le(value, at, 2), permissions = Le(value, at + 2, 2), id = Le(value, at + 4, 4);
    const bool known =
        tag == kUserObj || tag == kUser || tag == kGroupObj || tag == kGroup || tag == kMask || tag == kOther;
    const bool repeats = tag == kUser || tag == kGroup;
    if (!known || permissions > 7 || tag < last || (tag == last && !repeats)) return false;
    if (repeats && id == 0xffffffff) return false;
    last = tag;
    seen |= tag;
  }
  const uint32_t needed = kUserObj | kGroupObj | kOther;
  const bool needs_mask = (seen & (kUser | kGroup)) != 0;
  return (seen & needed) == needed && (!needs_mask || (seen & kMask) != 0);
}

enum class Verdict { kKeep, kDrop, kMalformed, kForbidden };

Verdict Judge(Type type, std::string_view name, std::string_view value) {
  const bool file = type == Type::kFile, folder = type == Type::kDirectory;
  if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay.")) return Verdict::kForbidden;
  if (name.starts_with("user.")) return name.size() > 5 && (file || folder) ? Verdict::kKeep : Verdict::kDrop;
  if (name == "security.capability") {
    if (!IsCapability(value)) return Verdict::kMalformed;
    return file ? Verdict::kKeep : Verdict::kDrop;
  }
  const bool access = name == "system.posix_acl_access", by_default = name == "system.posix_acl_default";
  if (!access && !by_default) return Verdict::kDrop;
  if (!IsAcl(value)) return Verdict::kMalformed;
  return folder || (access && file) ? Verdict::kKeep : Verdict::kDrop;
}

}  // namespace

Result<Whiteout> ClassifyWhiteout(const TarEntry& entry) {
  if (entry.type == Type::kCharDevice && entry.device_major == 0 && entry.device_minor == 0) {
    return Wrong(entry, "a whiteout as overlayfs writes it; a layer has \".wh.\" files");
  }
  const std::string_view folder = FolderOf(entry.path);
  if (HasWhiteoutComponent(folder)) return Wrong(entry, "below a whiteout");
  if (entry.type == Type::kHardlink && HasWhiteoutComponent(entry.link_target))
    return Wrong(entry, "a link to a whiteout");
  const std::string_view name = std::string_view(entry.path).substr(folder.empty() ? 0 : folder.size() + 1);
  if (!name.starts_with(kWhiteout)) return Whiteout{};
  if (entry.type != Type::kFile || entry.size != 0) return Wrong(entry, "a whiteout must be an empty file");
  if (name == kOpaqueName) return Whiteout{Whiteout::Kind::kOpaque, std::string(folder)};
  const std::string_view hidden = name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..") return Wrong(entry, "a whiteout of nothing");
  if (name.starts_with(kMeta)) return Wrong(entry, "a file of aufs's own");
  return Whiteout{Whiteout::Kind::kHide, folder.empty() ? std::string(hidden) : StrCat(folder, '/', hidden)};
}

Status CheckHostEntry(const TarEntry& entry) {
  if (entry.type == Type::kDirectory) return Ok();
  if (entry.path == "ostree") {
    if (entry.type == Type::kSymlink && entry.link_target == "sysroot/ostree") return Ok();
    return Wrong(entry, "must be a directory, or a link to sysroot/ostree");
  }
  constexpr std::array<std::string_view, 9> kFolders = {"etc", "usr",  "var", "sysroot", "boot",
                                                        "dev", "proc", "sys", "run"};
  if (std::find(kFolders.begin(), kFolders.end(), entry.path) == kFolders.end()) return Ok();
  return Wrong(entry, "must be a directory in the image of a system");
}

std::optional<std::string_view> ReasonToDrop(const TarEntry& entry) {
  constexpr std::array<std::string_view, 5> kMountedOver = {"dev/", "proc/", "sys/", "run/", "tmp/"};
  for (const std::string_view folder : kMountedOver) {
    if (entry.path.starts_with(folder)) return "below a folder that is mounted over";
  }
  switch (entry.type) {
    case Type::kCharDevice:
    case Type::kBlockDevice:
      return "a device node";
    case Type::kFifo:
      return "a FIFO";
    default:
      return std::nullopt;
  }
}

Result<FilteredXattrs> FilterXattrs(const TarEntry& entry) {
  FilteredXattrs out;
  for (const auto& [name, value] : entry.xattrs) {
    switch (Judge(entry.type, name, value)) {
      case Verdict::kKeep:
        out.kept.emplace(name, value);
        break;
      case Verdict::kDrop:
        out.dropped.push_back(name);
        break;
      case Verdict::kMalformed:
        return Wrong(entry, StrCat("the extended attribute ", name, " is malformed"));
      case Verdict::kForbidden:
        return Wrong(entry, StrCat("the extended attribute ", Escape(name), " is overlayfs's own"));
    }
  }
  return out;
}

}  // namespace hostapp
