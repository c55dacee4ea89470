// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/tree.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "hostapp/base/check.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/composefs/overlay_names.h"
#include "ostree-integration/composefs/tree_rules.h"

namespace hostapp::composefs {
namespace {

constexpr uint32_t kMaxMajor = (1U << 12) - 1;
constexpr uint32_t kMaxMinor = (1U << 20) - 1;
constexpr size_t kMaxEntries = size_t{1} << 31;

// overlayfs's digest: version 0, the length of all, no flags, fs-verity's number of SHA-256, the digest.
std::array<char, 36> MetacopyOf(const Sha256& verity) {
  std::array<char, 36> value = {0, 36, 0, 1};
  std::memcpy(value.data() + 4, verity.data(), verity.size());
  return value;
}

// As st_rdev has it.
uint32_t DeviceNumber(const Device& device) {
  return (device.minor & 0xff) | (device.major << 8) | ((device.minor >> 8) << 20);
}

}  // namespace

// What an inode has beside its metadata.
struct Tree::Detail {
  uint32_t type = 0;  // S_IFMT
  uint64_t size = 0;
  std::string_view bytes = {};  // a target, or content
  uint32_t device = 0;
  bool backed = false;
  std::span<const Xattr> xattrs = {};  // ours, in the place of the file's own of the same names
};

std::string TreeData::PathOf(uint32_t folder, std::string_view name) const {
  std::string path = StrCat("/", Escape(name));
  while (folder != kRootInode) {
    const Entry& entry = entries[inodes[folder].detail];
    path = StrCat("/", Escape(Name(entry)), path);
    folder = entry.folder;
  }
  return path;
}

Result<Tree> Tree::Create(const Metadata& root) {
  Tree tree;
  TRY(tree.CheckMetadata(root).While("/"));
  static constexpr Xattr kOurs[] = {{.name = kOpaque, .value = "y"}};
  tree.AddInode(root, {.type = S_IFDIR, .xattrs = kOurs});
  tree.data_.inodes[kRootInode].links = 2;
  tree.AddDefaultWhiteouts(root);
  XattrTable& xattrs = tree.data_.xattrs;
  tree.data_.whiteouts_folder = {xattrs.Intern(kEscapedWhiteouts, ""), xattrs.Intern(kUserWhiteouts, ""),
                                 xattrs.Intern(kEscapedOpaque, "x"), xattrs.Intern(kUserOpaque, "x")};
  return tree;
}

void Tree::Reserve(size_t names) {
  data_.entries.reserve(data_.entries.size() + names);
  data_.inodes.reserve(data_.inodes.size() + names);
}

// The folders of the store itself, "00" to "ff", would show through where overlayfs has the store as an ordinary lower
// layer: whiteouts hide those of these names that the image has not itself.
void Tree::AddDefaultWhiteouts(const Metadata& root) {
  Metadata metadata = root;
  metadata.mode = 0644;
  metadata.links = 1;
  const auto label = std::find_if(root.xattrs.begin(), root.xattrs.end(),
                                  [](const Xattr& xattr) { return xattr.name == "security.selinux"; });
  metadata.xattrs = label == root.xattrs.end() ? std::span<const Xattr>() : std::span(label, 1);
  for (int i = 0; i < 256; ++i) {
    const std::byte number[] = {static_cast<std::byte>(i)};
    AddEntry(kRoot, HexEncode(number), AddInode(metadata, {.type = S_IFCHR}), Entry::Kind::kDefault);
  }
}

Result<Tree::Id> Tree::AddFolder(Id folder, std::string_view name, const Metadata& metadata) {
  ASSIGN_OR_RETURN(const Id id, Add(folder, name, metadata, {.type = S_IFDIR}));
  Inode& inode = data_.inodes[static_cast<uint32_t>(id)];
  inode.links = 2;
  inode.detail = static_cast<uint32_t>(data_.entries.size() - 1);
  data_.inodes[static_cast<uint32_t>(folder)].links++;
  return id;
}

Result<Tree::Id> Tree::AddFile(Id folder, std::string_view name, const Metadata& metadata, const Backing& backing) {
  TRY(At(folder, name, CheckText(backing.path, "a path in the store")));
  if (backing.path.starts_with('/')) TRY(At(folder, name, Refused("an absolute path in the store")));
  if (backing.size > kMaxFileBytes)
    TRY(At(folder, name, Refused(StrCat("a file of ", backing.size, " bytes, more than 2^53"))));
  if (backing.size == 0) return Add(folder, name, metadata, {.type = S_IFREG});
  const std::array<char, 36> metacopy = MetacopyOf(backing.verity.value_or(Sha256{}));
  const std::string redirect = StrCat("/", backing.path);
  const Xattr xattrs[] = {
      {.name = kMetacopy, .value = std::string_view(metacopy.data(), backing.verity ? metacopy.size() : 0)},
      {.name = kRedirect, .value = redirect},
  };
  return Add(folder, name, metadata,
             {.type = S_IFREG,
              .size = backing.size,
              .backed = true,
              .xattrs = std::span(xattrs).first(backing.path.empty() ? 1 : 2)});
}

Result<Tree::Id> Tree::AddInlineFile(Id folder, std::string_view name, const Metadata& metadata,
                                     std::string_view content) {
  if (content.size() > kMaxInlineBytes)
    TRY(At(folder, name,
           Refused(StrCat("content of ", content.size(), " bytes in the image, more than ", kMaxInlineBytes))));
  return Add(folder, name, metadata, {.type = S_IFREG, .size = content.size(), .bytes = content});
}

Result<Tree::Id> Tree::AddSymlink(Id folder, std::string_view name, const Metadata& metadata, std::string_view target) {
  TRY(At(folder, name, CheckText(target, "a symbolic link's target")));
  if (target.empty()) TRY(At(folder, name, Refused("a symbolic link without a target")));
  return Add(folder, name, metadata, {.type = S_IFLNK, .size = target.size(), .bytes = target});
}

Result<Tree::Id> Tree::AddDevice(Id folder, std::string_view name, const Metadata& metadata, const Device& device) {
  if (device.major > kMaxMajor || device.minor > kMaxMinor)
    TRY(At(folder, name, Refused(StrCat("no device can be ", device.major, ":", device.minor))));
  const bool block = device.type == DeviceType::kBlock;
  const uint32_t number = DeviceNumber(device);
  if (block || number != 0)
    return Add(folder, name, metadata, {.type = static_cast<uint32_t>(block ? S_IFBLK : S_IFCHR), .device = number});
  static constexpr Xattr kOurs[] = {{.name = kEscapedWhiteout, .value = ""}, {.name = kUserWhiteout, .value = ""}};
  ASSIGN_OR_RETURN(const Id id, Add(folder, name, metadata, {.type = S_IFREG, .xattrs = kOurs}));
  data_.inodes[static_cast<uint32_t>(folder)].holds_whiteouts = true;
  has_whiteouts_ = true;
  return id;
}

Result<Tree::Id> Tree::AddSpecial(Id folder, std::string_view name, const Metadata& metadata, SpecialType type) {
  return Add(folder, name, metadata, {.type = static_cast<uint32_t>(type == SpecialType::kFifo ? S_IFIFO : S_IFSOCK)});
}

Status Tree::AddHardLink(Id folder, std::string_view name, Id file) {
  TRY(CheckEntry(folder, name));
  CHECK(static_cast<uint32_t>(file) < data_.inodes.size());
  Inode& inode = data_.inodes[static_cast<uint32_t>(file)];
  if (inode.is_folder()) return At(folder, name, Refused("a hard link to a folder"));
  AddEntry(folder, name, static_cast<uint32_t>(file), Entry::Kind::kHardLink);
  if (!inode.links_given) ++inode.links;
  return Ok();
}

Status Tree::At(Id folder, std::string_view name, Status status) const {
  if (status.ok()) return status;
  return std::move(status).While(data_.PathOf(static_cast<uint32_t>(folder), name.substr(0, kMaxNameBytes)));
}

Status Tree::CheckEntry(Id folder, std::string_view name) const {
  CHECK(static_cast<uint32_t>(folder) < data_.inodes.size() && Of(folder).is_folder());
  TRY(At(folder, name, CheckName(name)));
  if (data_.bytes.full() || data_.xattrs.full() || data_.xattr_lists.size() > kMaxEntries ||
      data_.entries.size() > kMaxEntries)
    return Refused("a tree with over 4 GiB of names and attributes");
  return Ok();
}

Status Tree::CheckMetadata(const Metadata& metadata) const {
  if (metadata.mode > 07777) return Refused("a mode beyond 07777");
  if (metadata.mtime_nanos >= 1000000000) return Refused(StrCat(metadata.mtime_nanos, " nanoseconds"));
  return CheckXattrs(metadata.xattrs);
}

Result<Tree::Id> Tree::Add(Id folder, std::string_view name, const Metadata& metadata, const Detail& detail) {
  TRY(CheckEntry(folder, name));
  TRY(At(folder, name, CheckMetadata(metadata)));
  const uint32_t inode = AddInode(metadata, detail);
  AddEntry(folder, name, inode, Entry::Kind::kInode);
  return Id{inode};
}

void Tree::AddEntry(Id folder, std::string_view name, uint32_t inode, Entry::Kind kind) {
  data_.entries.push_back({.name = data_.bytes.Add(name),
                           .inode = inode,
                           .folder = static_cast<uint32_t>(folder),
                           .name_bytes = static_cast<uint8_t>(name.size()),
                           .kind = kind});
}

uint32_t Tree::AddInode(const Metadata& metadata, const Detail& detail) {
  Inode inode{.mtime = metadata.mtime,
              .size = detail.size,
              .mtime_nanos = metadata.mtime_nanos,
              .uid = metadata.uid,
              .gid = metadata.gid,
              .links = metadata.links == 0 ? 1 : metadata.links,
              .detail = detail.device,
              .mode = static_cast<uint16_t>(detail.type | metadata.mode),
              .backed = detail.backed,
              .links_given = metadata.links != 0};
  if (!detail.bytes.empty()) inode.detail = data_.bytes.Add(detail.bytes);
  SetXattrs(inode, metadata.xattrs, detail.xattrs);
  data_.inodes.push_back(inode);
  return static_cast<uint32_t>(data_.inodes.size() - 1);
}

void Tree::SetXattrs(Inode& inode, std::span<const Xattr> given, std::span<const Xattr> ours) {
  inode.xattrs = static_cast<uint32_t>(data_.xattr_lists.size());
  for (const Xattr& xattr : ours) data_.xattr_lists.push_back(data_.xattrs.Intern(xattr.name, xattr.value));
  for (const Xattr& xattr : given) {
    std::string escaped;
    std::string_view name = xattr.name;
    if (name.starts_with(kOverlayPrefix))
      name = escaped = StrCat(kEscapedOverlayPrefix, name.substr(kOverlayPrefix.size()));
    const auto same = [&](const Xattr& our) { return our.name == name; };
    if (std::any_of(ours.begin(), ours.end(), same)) continue;
    data_.xattr_lists.push_back(data_.xattrs.Intern(name, xattr.value));
  }
  inode.xattr_count = static_cast<uint16_t>(data_.xattr_lists.size() - inode.xattrs);
  const auto by_name = [this](XattrTable::Id a, XattrTable::Id b) { return data_.xattrs.NameLess(a, b); };
  std::sort(data_.xattr_lists.begin() + inode.xattrs, data_.xattr_lists.end(), by_name);
}

}  // namespace hostapp::composefs
