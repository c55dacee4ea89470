// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_builder.h"

#include <algorithm>

#include "hostapp/base/strings.h"
#include "hostapp/layer/layer_rules.h"
#include "ostree-integration/store/ostree_format.h"
#include "ostree-integration/store/whiteout.h"

namespace hostapp {
namespace {

Error Refuse(std::string_view path, std::string_view rule) {
  return Error(Errc::kCorrupt, StrCat("member ", Escape(path), ": ", rule));
}

std::string_view TypeName(Inode::Type type) {
  switch (type) {
    case Inode::Type::kFile:
      return "a file";
    case Inode::Type::kDirectory:
      return "a folder";
    case Inode::Type::kSymlink:
      return "a link";
  }
  return "";
}

// One text for all that one member has: with the path for each of them, a header of 1 MiB would become gigabytes.
std::string NamesIn(const std::vector<std::string>& names) {
  constexpr size_t kMaxNames = 32, kMaxNameBytes = 255;
  std::vector<std::string> shown;
  for (size_t i = 0; i < std::min(names.size(), kMaxNames); ++i) shown.push_back(names[i].substr(0, kMaxNameBytes));
  if (names.size() > kMaxNames) shown.push_back(StrCat("and ", names.size() - kMaxNames, " more"));
  return Join(shown, ", ");
}

Status CheckMember(const TarEntry& entry) {
  TRY(CheckOstreeText(entry.path, "the member name"));
  if (entry.type == TarEntry::Type::kSymlink) {
    TRY(CheckOstreeText(entry.link_target, StrCat("member ", Escape(entry.path), ": the link target")));
    if (entry.link_target.empty()) return Refuse(entry.path, "a link without a target");
  }
  return ClassifyWhiteout(entry).status();
}

}  // namespace

LayerBuilder::LayerBuilder() : root_{ImpliedDirectory(), {}} {}

// Also those of members that later ones replace: as long as the layer is read, nobody knows.
Status LayerBuilder::CountXattrs(const TarEntry& entry, const Xattrs& xattrs) {
  for (const auto& [name, value] : xattrs) xattr_bytes_ += sizeof(Xattrs::value_type) + name.size() + value.size();
  if (xattr_bytes_ <= kMaxLayerXattrBytes) return Ok();
  return Refuse(entry.path, StrCat("with it, the layer's members have more than ", HumanBytes(kMaxLayerXattrBytes),
                                   " of extended attributes"));
}

Status LayerBuilder::Drop(const TarEntry& entry, std::string text, LayerIndex::Reason reason) {
  dropped_bytes_ += sizeof(LayerIndex::Dropped) + text.size();
  dropped_.push_back({std::move(text), reason});
  if (dropped_bytes_ <= kMaxLayerDroppedBytes) return Ok();
  return Refuse(entry.path, StrCat("with it, the list of what no device takes from the layer has more than ",
                                   HumanBytes(kMaxLayerDroppedBytes)));
}

Result<std::shared_ptr<Inode>> LayerBuilder::MakeInode(const TarEntry& entry, Inode::Type type) {
  auto inode = std::make_shared<Inode>();
  inode->type = type;
  inode->mode = type == Inode::Type::kSymlink ? 0777 : entry.mode & 07777;
  inode->uid = entry.uid;
  inode->gid = entry.gid;
  inode->mtime = entry.mtime;
  inode->mtime_nanos = entry.mtime_nanos;
  if (type == Inode::Type::kSymlink) inode->link_target = entry.link_target;
  ASSIGN_OR_RETURN(FilteredXattrs xattrs, FilterXattrs(entry));
  inode->xattrs = std::move(xattrs.kept);
  TRY(CountXattrs(entry, inode->xattrs));
  std::vector<std::string> names = std::move(xattrs.dropped);
  names.insert(names.end(), entry.unknown_keys.begin(), entry.unknown_keys.end());
  if (!names.empty()) {
    TRY(Drop(entry, StrCat(entry.path, " (", NamesIn(names), ")"), LayerIndex::Reason::kXattr));
  }
  return inode;
}

Result<std::shared_ptr<Inode>> LayerBuilder::Add(const TarEntry& entry) {
  TRY(CheckMember(entry));
  switch (entry.type) {
    case TarEntry::Type::kDirectory:
      TRY(AddDirectory(entry));
      return std::shared_ptr<Inode>();
    case TarEntry::Type::kFile:
    case TarEntry::Type::kSymlink:
      return AddLeaf(entry);
    case TarEntry::Type::kHardlink:
      return AddHardlink(entry);
    case TarEntry::Type::kCharDevice:
      TRY(AddSpecial(entry, LayerIndex::Reason::kCharDevice));
      return std::shared_ptr<Inode>();
    case TarEntry::Type::kBlockDevice:
      TRY(AddSpecial(entry, LayerIndex::Reason::kBlockDevice));
      return std::shared_ptr<Inode>();
    case TarEntry::Type::kFifo:
      TRY(AddSpecial(entry, LayerIndex::Reason::kFifo));
      return std::shared_ptr<Inode>();
  }
  return Refuse(entry.path, "a type that is not known here");
}

// The folder that `path` is in, made when no member has said it.
Result<Node*> LayerBuilder::Parent(const std::string& path) {
  Node* at = &root_;
  size_t begin = 0;
  for (size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', begin)) {
    const std::string name = path.substr(begin, slash - begin);
    begin = slash + 1;
    auto found = at->children.find(name);
    if (found == at->children.end()) {
      if (special_.contains(std::string_view(path).substr(0, slash))) {
        return Refuse(path, "it is below a device or FIFO of the same layer");
      }
      if (++implied_folders_ > kMaxImpliedFolders) {
        return Refuse(path, StrCat("with it, the layer names more than ", kMaxImpliedFolders,
                                   " folders that no member of it is"));
      }
      found = at->children.emplace(name, Node{ImpliedDirectory(), {}}).first;
    }
    if (!found->second.is_dir()) {
      return Refuse(path, StrCat("it is below ", Escape(path.substr(0, slash)), ", which the same layer made ",
                                 TypeName(found->second.inode->type)));
    }
    at = &found->second;
  }
  return at;
}

Node* LayerBuilder::Find(const std::string& path) {
  Node* at = &root_;
  for (const std::string_view name : Split(path, '/')) {
    if (!at->is_dir()) return nullptr;
    const auto found = at->children.find(name);
    if (found == at->children.end()) return nullptr;
    at = &found->second;
  }
  return at;
}

Status LayerBuilder::AddDirectory(const TarEntry& entry) {
  if (entry.path.empty()) {
    ASSIGN_OR_RETURN(root_.inode, MakeInode(entry, Inode::Type::kDirectory));
    return Ok();
  }
  ASSIGN_OR_RETURN(std::shared_ptr<Inode> inode, MakeInode(entry, Inode::Type::kDirectory));
  return Place(entry.path, std::move(inode));
}

// A name that is there already: the later member wins when it is of the same type.
Status LayerBuilder::Place(const std::string& path, std::shared_ptr<Inode> inode) {
  ASSIGN_OR_RETURN(Node * parent, Parent(path));
  if (special_.contains(path)) return Refuse(path, "the same layer has it twice, with two types");
  const std::string name(BaseName(path));
  const auto found = parent->children.find(name);
  if (found == parent->children.end()) {
    parent->children.emplace(name, Node{std::move(inode), {}});
    return Ok();
  }
  Node& old = found->second;
  if (old.inode->type != inode->type) {
    return Refuse(path, StrCat("the same layer has it twice, first as ", TypeName(old.inode->type), ", then as ",
                               TypeName(inode->type)));
  }
  if (old.inode->type == Inode::Type::kFile) replaced_.push_back(old.inode);
  old.inode = std::move(inode);
  return Ok();
}

Result<std::shared_ptr<Inode>> LayerBuilder::AddLeaf(const TarEntry& entry) {
  if (entry.path.empty()) return Refuse("/", "the root of a layer must be a folder");
  const bool is_file = entry.type == TarEntry::Type::kFile;
  if (!is_file) link_bytes_ += entry.link_target.size();
  if (link_bytes_ > kMaxLayerLinkBytes) {
    return Refuse(entry.path,
                  StrCat("with it, the targets of the layer's links have more than ", HumanBytes(kMaxLayerLinkBytes)));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<Inode> inode,
                   MakeInode(entry, is_file ? Inode::Type::kFile : Inode::Type::kSymlink));
  TRY(Place(entry.path, inode));
  return inode;
}

Result<std::shared_ptr<Inode>> LayerBuilder::AddHardlink(const TarEntry& entry) {
  if (entry.path.empty()) return Refuse("/", "the root of a layer must be a folder");
  const std::string& target = entry.link_target;
  if (target == entry.path) return Refuse(entry.path, "a hard link to itself");
  if (const auto special = special_.find(target); special != special_.end()) {
    TRY(AddSpecial(entry, special->second));
    return std::shared_ptr<Inode>();
  }
  const Node* node = target.empty() ? &root_ : Find(target);
  if (node == nullptr) {
    return Refuse(entry.path, StrCat("a hard link to ", Escape(target), ", which no earlier member of the layer is"));
  }
  if (node->inode->type != Inode::Type::kFile) {
    return Refuse(entry.path, StrCat("a hard link to ", Escape(target), ", which is ", TypeName(node->inode->type)));
  }
  if (IsWhiteout(BaseName(target))) return Refuse(entry.path, "a hard link to a whiteout");
  std::shared_ptr<Inode> inode = node->inode;
  TRY(Place(entry.path, std::move(inode)));
  return std::shared_ptr<Inode>();
}

Status LayerBuilder::AddSpecial(const TarEntry& entry, LayerIndex::Reason reason) {
  if (entry.path.empty()) return Refuse("/", "the root of a layer must be a folder");
  ASSIGN_OR_RETURN(const Node* parent, Parent(entry.path));
  if (parent->children.contains(BaseName(entry.path))) {
    return Refuse(entry.path, "the same layer has it twice, with two types");
  }
  special_.insert_or_assign(entry.path, reason);
  return Drop(entry, entry.path, reason);
}

}  // namespace hostapp
