// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_index.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <tuple>
#include <unordered_set>

#include "hostapp/base/strings.h"
#include "hostapp/layer/tar_reader.h"
#include "ostree-integration/composefs/fs_verity.h"
#include "ostree-integration/store/layer_index_format.h"
#include "ostree-integration/store/layer_index_reader.h"
#include "ostree-integration/store/ostree_format.h"

namespace hostapp {
namespace {

using namespace layer_index;  // NOLINT(google-build-using-namespace): the format of this file

// Where content is in the tar.
struct Place {
  uint64_t block = 0;
  uint64_t size = 0;
};

// What several inodes have in common.
struct Kind {
  Inode inode;
  bool has_xattrs = false;
};

class Parser {
 public:
  Parser(uint64_t size, const ReadIndex& read) : size_(size), in_(read, size) {}
  Result<LayerIndex> Run();

 private:
  Status Parse();
  Status ReadHeader();
  Status ReadRoot();
  Status ReadChildren(Node& folder, size_t depth);
  Result<std::shared_ptr<Inode>> ReadInode();
  Result<std::shared_ptr<Inode>> ReadHardLink();
  Status ReadKind();
  Status ReadOwner(Inode& inode);
  Status ReadXattrs(Inode& inode);
  Status ReadTime();
  Status ReadFile(Inode& file);
  Status ReadLink(Inode& link);
  Status ReadReplaced();
  Status ReadDropped();
  Status CheckPlaces();
  Sha256 ObjectWithoutContent(const Inode& inode);

  uint64_t size_;
  Reader in_;
  LayerIndex index_;
  uint64_t framing_ = 0;  // bytes, compressed
  uint32_t replaced_ = 0, dropped_ = 0;
  std::vector<Kind> kinds_;
  std::set<std::tuple<uint8_t, uint32_t, uint32_t, uint32_t>> kinds_seen_;
  std::vector<std::shared_ptr<Inode>> files_;
  int64_t mtime_ = 0;  // of the inode before
  uint32_t mtime_nanos_ = 0;
  uint64_t behind_ = 0;  // the block behind the content before
  std::vector<Place> places_;
  Hasher hasher_;
};

Status Parser::ReadHeader() {
  if (in_.Take(kMagic.size()) != kMagic) return Wrong("it does not begin with its magic");
  if (const uint32_t version = in_.U32(); version != kLayerIndexVersion && in_.status().ok()) {
    return Error(Errc::kCorrupt, StrCat("the layer index has version ", version, ", which is not known here; `hostapp ",
                                        "fsck --repair` makes it again"));
  }
  const uint32_t algorithm = in_.U32();
  if (algorithm != 1 && algorithm != 2) return Wrong("the diff_id's algorithm is not known");
  HashValue diff_id;
  diff_id.algorithm = algorithm == 1 ? HashAlgorithm::kSha256 : HashAlgorithm::kSha512;
  const std::string_view bytes = in_.Take(diff_id.bytes.size());
  std::memcpy(diff_id.bytes.data(), bytes.data(), bytes.size());
  if (std::ranges::any_of(std::span(diff_id.bytes).subspan(HashSize(diff_id.algorithm)),
                          [](std::byte byte) { return byte != std::byte{}; })) {
    return Wrong("the diff_id is too long");
  }
  index_.diff_id = Digest(diff_id);
  const uint64_t total = in_.U64();
  index_.tar_bytes = in_.U64();
  framing_ = in_.U64();
  replaced_ = in_.U32();
  dropped_ = in_.U32();
  if (total != size_) return Wrong("it has another size than it says");
  return Ok();
}

// Of a file that is empty, or of a link: nothing but the inode is in its checksum.
Sha256 Parser::ObjectWithoutContent(const Inode& inode) {
  HashObjectHeader(inode, hasher_);
  return ToSha256(hasher_.Finish());
}

Status Parser::ReadXattrs(Inode& inode) {
  const uint64_t count = in_.Number();
  if (count == 0) return Wrong("extended attributes that are none");
  for (uint64_t i = 0; i < count; ++i) {
    std::string name(in_.Text());
    if (name.empty() || name.find('\0') != std::string::npos) return Wrong("an extended attribute has no fit name");
    if (i > 0 && inode.xattrs.rbegin()->first >= name) return Wrong("extended attributes out of order");
    std::string value(in_.Text());
    inode.xattrs.emplace_hint(inode.xattrs.end(), std::move(name), std::move(value));
  }
  return Ok();
}

Status Parser::ReadOwner(Inode& inode) {
  const uint64_t mode = inode.type == Inode::Type::kSymlink ? kLinkMode : in_.Number();
  const uint64_t uid = in_.Number();
  const uint64_t gid = in_.Number();
  if (mode > 07777 || uid > UINT32_MAX || gid > UINT32_MAX) return Wrong("a mode or an owner is out of range");
  inode.mode = static_cast<uint32_t>(mode);
  inode.uid = static_cast<uint32_t>(uid);
  inode.gid = static_cast<uint32_t>(gid);
  return Ok();
}

Status Parser::ReadKind() {
  const uint8_t code = in_.Byte();
  const bool implied = code == static_cast<uint8_t>(KindType::kImpliedFolder);
  Kind kind{.inode = implied ? *ImpliedDirectory() : Inode{}, .has_xattrs = (code & kHasXattrs) != 0};
  if (!implied) {
    const int type = code & ~kHasXattrs;
    if (type < 1 || type > 3) return Wrong("an inode's type is not known");
    kind.inode.type = static_cast<Inode::Type>(type);
    TRY(ReadOwner(kind.inode));
  }
  if (!kinds_seen_.emplace(code, kind.inode.mode, kind.inode.uid, kind.inode.gid).second) {
    return Wrong("a kind of inode twice");
  }
  kinds_.push_back(std::move(kind));
  return Ok();
}

Status Parser::ReadTime() {
  const uint64_t step = FromUnsigned(in_.Number());
  const uint64_t nanos = in_.Number();
  if (nanos > 999'999'999) return Wrong("a time is out of range");
  if (step == 0 && nanos == mtime_nanos_) return Wrong("a time twice");
  mtime_ = static_cast<int64_t>(static_cast<uint64_t>(mtime_) + step);
  mtime_nanos_ = static_cast<uint32_t>(nanos);
  return Ok();
}

Status Parser::ReadFile(Inode& file) {
  file.size = in_.Number();
  if (file.size == 0) {
    static const Sha256 content = ToSha256(HashOf({}));
    static const Sha256 verity = composefs::FsVerityHasher().Finish();
    file.content = content;
    file.verity = verity;
    file.object = ObjectWithoutContent(file);
    return Ok();
  }
  file.tar_block = behind_ + FromUnsigned(in_.Number());
  behind_ = BlockBehind(file.tar_block, file.size);
  places_.push_back({file.tar_block, file.size});
  file.content = in_.Id();
  file.verity = in_.Id();
  file.object = in_.Id();
  return Ok();
}

Status Parser::ReadLink(Inode& link) {
  link.link_target = in_.Text();
  const std::string& target = link.link_target;
  if (target.empty() || target.find('\0') != std::string::npos || !IsValidUtf8(target)) {
    return Wrong("a link without a fit target");
  }
  link.object = ObjectWithoutContent(link);
  return Ok();
}

Result<std::shared_ptr<Inode>> Parser::ReadHardLink() {
  const uint64_t number = in_.Number();
  if (number >= files_.size()) return Wrong("a hard link to a file that is not there");
  return files_[number];
}

Result<std::shared_ptr<Inode>> Parser::ReadInode() {
  const uint64_t head = in_.Number();
  if (head == kHardLink) return ReadHardLink();
  const uint64_t kind = head >> 1;
  if (kind == kinds_.size() + 1) TRY(ReadKind());
  if (kind == 0 || kind > kinds_.size()) return Wrong("a kind of inode that is not there");
  auto inode = std::make_shared<Inode>(kinds_[kind - 1].inode);
  if (inode->implied) {
    if (head != Head(kind, false)) return Wrong("a time of a folder that no member says");
    return inode;
  }
  if (head == Head(kind, true)) TRY(ReadTime());
  inode->mtime = mtime_;
  inode->mtime_nanos = mtime_nanos_;
  if (kinds_[kind - 1].has_xattrs) TRY(ReadXattrs(*inode));
  if (inode->type == Inode::Type::kSymlink) TRY(ReadLink(*inode));
  if (inode->type == Inode::Type::kFile) {
    TRY(ReadFile(*inode));
    files_.push_back(inode);
  }
  return inode;
}

bool IsFitName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('\0') == std::string_view::npos &&
         name.find('/') == std::string_view::npos && name.size() <= TarLimits{}.max_component && IsValidUtf8(name);
}

Status Parser::ReadChildren(Node& folder, size_t depth) {
  const uint64_t count = in_.Number();
  if (count > 0 && depth > TarLimits{}.max_depth) return Wrong("folders too deep in each other");
  for (uint64_t i = 0; i < count; ++i) {
    std::string name(in_.Text());
    if (!IsFitName(name)) return Wrong("a name that is not normal");
    if (i > 0 && folder.children.rbegin()->first >= name) return Wrong("names out of order");
    ASSIGN_OR_RETURN(std::shared_ptr<Inode> inode, ReadInode());
    Node& node =
        folder.children.emplace_hint(folder.children.end(), std::move(name), Node{std::move(inode), {}})->second;
    if (node.is_dir()) TRY(ReadChildren(node, depth + 1));
  }
  return Ok();
}

Status Parser::ReadRoot() {
  ASSIGN_OR_RETURN(index_.root.inode, ReadInode());
  if (!index_.root.is_dir()) return Wrong("its root is no folder");
  return ReadChildren(index_.root, 1);
}

Status Parser::ReadReplaced() {
  uint64_t behind = 0;
  for (uint32_t i = 0; i < replaced_ && in_.status().ok(); ++i) {
    LayerIndex::Replaced replaced{.tar_block = behind + in_.Number(), .size = in_.Number(), .object = in_.Id()};
    if (replaced.size == 0) return Wrong("replaced content that is none");
    if (replaced.tar_block <= behind) return Wrong("replaced content out of order");
    behind = BlockBehind(replaced.tar_block, replaced.size);
    places_.push_back({replaced.tar_block, replaced.size});
    index_.replaced.push_back(replaced);
  }
  return Ok();
}

Status Parser::ReadDropped() {
  for (uint32_t i = 0; i < dropped_ && in_.status().ok(); ++i) {
    LayerIndex::Dropped dropped{.path = std::string(in_.Text())};
    const uint64_t reason = in_.Number();
    if (reason < 1 || reason > 4) return Wrong("something dropped for no known reason");
    dropped.reason = static_cast<LayerIndex::Reason>(reason);
    index_.dropped.push_back(std::move(dropped));
  }
  return Ok();
}

// Each content has blocks of its own, behind a header of its own.
Status Parser::CheckPlaces() {
  std::ranges::sort(places_, {}, &Place::block);
  uint64_t behind = 0;
  index_.framing_bytes = index_.tar_bytes;
  for (const Place& place : places_) {
    if (place.block <= behind || place.block > index_.tar_bytes / kBlock) return Wrong("content where none can be");
    if (place.size > index_.tar_bytes - place.block * kBlock) return Wrong("more content than the tar has");
    behind = BlockBehind(place.block, place.size);
    index_.framing_bytes -= place.size;
  }
  return Ok();
}

Status Parser::Parse() {
  TRY(ReadHeader());
  TRY(ReadRoot());
  TRY(ReadReplaced());
  TRY(ReadDropped());
  if (in_.left() != framing_) return Wrong("its parts do not add up to its size");
  TRY(CheckPlaces());
  index_.framing = in_.Take(framing_);
  return Ok();
}

Result<LayerIndex> Parser::Run() {
  Status status = Parse();
  // What could not be read is not to be called damaged.
  TRY(in_.status());
  TRY(std::move(status));
  return std::move(index_);
}

}  // namespace

Result<LayerIndex> ParseLayerIndex(uint64_t size, const ReadIndex& read) {
  if (size > kMaxLayerIndexBytes) return Wrong("it is too large");
  return Parser(size, read).Run();
}

Result<LayerIndex> ParseLayerIndex(ByteSpan bytes) {
  return ParseLayerIndex(bytes.size(), [bytes](uint64_t offset, MutableByteSpan to) -> Status {
    std::ranges::copy(bytes.subspan(offset, to.size()), to.begin());
    return Ok();
  });
}

namespace {

// Calls visit(inode) for each file that has content, hard links once.
template <typename Visit>
void EachFile(const Node& node, std::unordered_set<const Inode*>& seen, Visit& visit) {
  const Inode& inode = *node.inode;
  if (inode.size > 0 && (node.inode.use_count() == 1 || seen.insert(&inode).second)) visit(inode);
  for (const auto& [name, child] : node.children) EachFile(child, seen, visit);
}

template <typename Visit>
void EachFile(const Node& root, Visit visit) {
  std::unordered_set<const Inode*> seen;
  EachFile(root, seen, visit);
}

}  // namespace

std::vector<TarContent> TarContents(const LayerIndex& index) {
  std::vector<LayerIndex::Replaced> all = index.replaced;
  EachFile(index.root, [&](const Inode& file) { all.push_back({file.tar_block, file.size, file.object}); });
  std::ranges::sort(all, {}, &LayerIndex::Replaced::tar_block);
  std::vector<TarContent> out;
  out.reserve(all.size());
  uint64_t content = 0;
  for (const LayerIndex::Replaced& one : all) {
    out.push_back({one.tar_block * kBlock - content, one.size, one.object});
    content += one.size;
  }
  return out;
}

uint64_t ContentBytes(const Node& root) {
  uint64_t sum = 0;
  EachFile(root, [&](const Inode& file) { sum += file.size; });
  return sum;
}

}  // namespace hostapp
