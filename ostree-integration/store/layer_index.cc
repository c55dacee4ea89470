// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_index.h"

#include <algorithm>
#include <cstring>
#include <deque>
#include <unordered_set>

#include "hostapp/base/strings.h"
#include "ostree-integration/store/layer_index_format.h"

namespace hostapp {
namespace {

using namespace layer_index;  // NOLINT(google-build-using-namespace): the format of this file

constexpr size_t kWindow = size_t{64} << 10;

// A section, read through a window of its own. The caller has checked that there is enough.
class Reader {
 public:
  Reader(const ReadIndex& read, uint64_t begin, uint64_t size) : read_(&read), next_(begin), left_(size) {}
  uint8_t U8() { return static_cast<uint8_t>(Little(1)); }
  uint32_t U32() { return static_cast<uint32_t>(Little(4)); }
  uint64_t U64() { return Little(8); }
  // Valid until the next call.
  std::string_view Take(size_t count) {
    if (window_.size() - at_ < count) Fill(count);
    const std::string_view taken = std::string_view(window_).substr(at_, count);
    at_ += count;
    return taken;
  }
  Sha256 Id() {
    Sha256 id;
    std::memcpy(id.data(), Take(id.size()).data(), id.size());
    return id;
  }
  bool Zeros(size_t count) { return Take(count).find_first_not_of('\0') == std::string_view::npos; }
  // Why what was taken is not what is there, if so.
  const Status& status() const { return status_; }

 private:
  void Fill(size_t count) {
    window_.erase(0, at_);
    at_ = 0;
    const size_t more = std::min<uint64_t>(left_, std::max(kWindow, count) - window_.size());
    CHECK(window_.size() + more >= count);
    const size_t had = window_.size();
    window_.resize(had + more);
    if (status_.ok()) status_ = (*read_)(next_, std::as_writable_bytes(std::span(window_)).subspan(had));
    next_ += more;
    left_ -= more;
  }
  uint64_t Little(size_t count) {
    uint64_t value = 0;
    const std::string_view taken = Take(count);
    for (size_t i = 0; i < count; ++i) value |= uint64_t{static_cast<unsigned char>(taken[i])} << (8 * i);
    return value;
  }

  const ReadIndex* read_;
  uint64_t next_;
  uint64_t left_;
  std::string window_;
  size_t at_ = 0;
  Status status_;
};

Error Wrong(std::string_view rule) { return Error(Errc::kCorrupt, StrCat("the layer index is damaged: ", rule)); }

class Parser {
 public:
  Parser(uint64_t size, const ReadIndex& read) : size_(size), read_(&read) {}
  Result<LayerIndex> Run();

 private:
  Status ReadHeader();
  Status ReadSections();
  Status ReadXattrs(Reader& in);
  Status ReadInodes(Reader& in);
  Status ReadInode(Reader& in);
  Status ReadEntries(Reader& in);
  Status ReadEntry(Reader& in);
  Status ReadMembers(Reader& in);
  Status ReadDropped(Reader& in);
  Result<std::string> Text(Reader& in);
  Status Insert(const std::string& path, const std::shared_ptr<Inode>& inode);
  Reader& Section(uint64_t size);

  uint64_t size_;
  const ReadIndex* read_;
  std::deque<Reader> sections_;
  uint64_t sections_end_ = 0;
  Counts counts_;
  LayerIndex index_;
  Reader* text_ = nullptr;
  uint64_t text_used_ = 0;
  std::vector<std::pair<std::string, std::string>> xattr_pairs_;
  std::vector<std::shared_ptr<Inode>> inodes_;
  size_t inodes_used_ = 0;  // by the paths so far: numbers are given in the order of first use
  uint32_t next_xattr_ = 0;
  std::string last_path_;
  std::vector<std::pair<size_t, Node*>> folders_;  // on the way to last_path_, with the sizes of their paths
};

Reader& Parser::Section(uint64_t size) {
  Reader& section = sections_.emplace_back(*read_, sections_end_, size);
  sections_end_ += size;
  return section;
}

Status Parser::ReadHeader() {
  if (size_ < kHeaderSize) return Wrong("it is shorter than its header");
  Reader& in = Section(kHeaderSize);
  if (in.Take(kMagic.size()) != kMagic) return Wrong("it does not begin with its magic");
  if (const uint32_t version = in.U32(); version != kLayerIndexVersion) {
    return Wrong(StrCat("version ", version, " is not known here"));
  }
  const uint32_t algorithm = in.U32();
  if (algorithm != 1 && algorithm != 2) return Wrong("the diff_id's algorithm is not known");
  HashValue diff_id;
  diff_id.algorithm = algorithm == 1 ? HashAlgorithm::kSha256 : HashAlgorithm::kSha512;
  const size_t hash_size = HashSize(diff_id.algorithm);
  std::memcpy(diff_id.bytes.data(), in.Take(hash_size).data(), hash_size);
  if (!in.Zeros(64 - hash_size)) return Wrong("the diff_id is too long");
  index_.diff_id = Digest(diff_id);
  const uint64_t total = in.U64();
  for (uint64_t* count : {&counts_.inodes, &counts_.entries, &counts_.xattrs, &counts_.members, &counts_.dropped}) {
    *count = in.U32();
  }
  if (!in.Zeros(4)) return Wrong("a reserved field is not zero");
  index_.tar_bytes = in.U64();
  counts_.text = in.U64();
  counts_.framing = in.U64();
  index_.framing_bytes = in.U64();
  if (!in.Zeros(16)) return Wrong("a reserved field is not zero");
  if (counts_.text > kMaxLayerIndexBytes || counts_.framing > kMaxLayerIndexBytes) return Wrong("it is too large");
  if (counts_.total() != total || total != size_) return Wrong("its sections do not add up to its size");
  return Ok();
}

// Text must be used in the order in which it is written, without gaps.
Result<std::string> Parser::Text(Reader& in) {
  const uint64_t offset = in.U32();
  const uint64_t length = in.U32();
  if (offset != text_used_ || length > counts_.text - text_used_) return Wrong("text out of order");
  text_used_ += length;
  return std::string(text_->Take(length));
}

Status Parser::ReadXattrs(Reader& in) {
  for (uint32_t i = 0; i < counts_.xattrs; ++i) {
    ASSIGN_OR_RETURN(std::string name, Text(in));
    ASSIGN_OR_RETURN(std::string value, Text(in));
    if (name.empty() || name.find('\0') != std::string::npos) return Wrong("an extended attribute has no fit name");
    xattr_pairs_.emplace_back(std::move(name), std::move(value));
  }
  return Ok();
}

Status Parser::ReadInode(Reader& in) {
  auto inode = std::make_shared<Inode>();
  const uint8_t type = in.U8();
  const uint8_t flags = in.U8();
  if (type < 1 || type > 3 || flags > kImpliedFlag || !in.Zeros(2)) return Wrong("an inode's type is not known");
  inode->type = static_cast<Inode::Type>(type);
  inode->implied = flags == kImpliedFlag;
  inode->mode = in.U32();
  inode->uid = in.U32();
  inode->gid = in.U32();
  inode->mtime = static_cast<int64_t>(in.U64());
  inode->mtime_nanos = in.U32();
  if (inode->mode > 07777 || inode->mtime_nanos > 999'999'999) return Wrong("an inode's mode or time is out of range");
  const uint32_t first = in.U32();
  const uint32_t count = in.U32();
  if (first != next_xattr_ || count > counts_.xattrs - next_xattr_) return Wrong("extended attributes out of order");
  next_xattr_ += count;
  for (uint32_t i = first; i < first + count; ++i) {
    auto& [name, value] = xattr_pairs_[i];
    if (i > first && inode->xattrs.rbegin()->first >= name) return Wrong("extended attributes out of order");
    inode->xattrs.emplace_hint(inode->xattrs.end(), std::move(name), std::move(value));
  }
  ASSIGN_OR_RETURN(inode->link_target, Text(in));
  if (!in.Zeros(4)) return Wrong("a reserved field is not zero");
  inode->size = in.U64();
  inode->content = in.Id();
  inode->verity = in.Id();
  inode->object = in.Id();
  const bool is_link = inode->type == Inode::Type::kSymlink;
  const bool is_file = inode->type == Inode::Type::kFile;
  if (is_link == inode->link_target.empty() || inode->link_target.find('\0') != std::string::npos) {
    return Wrong("a link without a target, or a target without a link");
  }
  if (!is_file && (inode->size != 0 || inode->content != Sha256{} || inode->verity != Sha256{})) {
    return Wrong("content of something that is no file");
  }
  if (inode->type == Inode::Type::kDirectory ? inode->object != Sha256{} : inode->implied) {
    return Wrong("a folder's or a file's fields with the other");
  }
  inodes_.push_back(std::move(inode));
  return Ok();
}

Status Parser::ReadInodes(Reader& in) {
  inodes_.reserve(counts_.inodes);
  for (uint32_t i = 0; i < counts_.inodes; ++i) TRY(ReadInode(in));
  if (next_xattr_ != counts_.xattrs) return Wrong("extended attributes that no inode has");
  return Ok();
}

bool IsFitName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('\0') == std::string_view::npos &&
         name.size() <= 255;
}

// The walk that writes it gives a folder before what is in it, and names in the order of their bytes.
Status Parser::Insert(const std::string& path, const std::shared_ptr<Inode>& inode) {
  const std::string_view name = BaseName(path);
  if (!IsFitName(name)) return Wrong("a path that is not normal");
  const std::string_view folder =
      std::string_view(path).substr(0, name.size() < path.size() ? path.size() - name.size() - 1 : 0);
  while (folders_.back().first > folder.size()) folders_.pop_back();
  if (folders_.back().first != folder.size() || !last_path_.starts_with(folder)) {
    return Wrong("a path that is not behind its folder");
  }
  auto& children = folders_.back().second->children;
  if (!children.empty() && children.rbegin()->first >= name) return Wrong("paths out of order");
  Node& node = children.emplace_hint(children.end(), name, Node{inode, {}})->second;
  if (node.is_dir()) folders_.emplace_back(path.size(), &node);
  last_path_ = path;
  return Ok();
}

Status Parser::ReadEntry(Reader& in) {
  ASSIGN_OR_RETURN(const std::string path, Text(in));
  const uint32_t number = in.U32();
  if (!in.Zeros(4)) return Wrong("a reserved field is not zero");
  if (number >= inodes_.size()) return Wrong("a path whose inode is not there");
  const std::shared_ptr<Inode>& inode = inodes_[number];
  if (number > inodes_used_) return Wrong("inodes out of order");
  if (number < inodes_used_ && inode->type != Inode::Type::kFile) {
    return Wrong("a hard link to something that is no file");
  }
  if (number == inodes_used_) ++inodes_used_;
  if (!folders_.empty()) return Insert(path, inode);
  if (!path.empty() || inode->type != Inode::Type::kDirectory) return Wrong("its first path is not the root folder");
  index_.root.inode = inode;
  folders_.emplace_back(0, &index_.root);
  return Ok();
}

Status Parser::ReadEntries(Reader& in) {
  for (uint32_t i = 0; i < counts_.entries; ++i) TRY(ReadEntry(in));
  if (folders_.empty()) return Wrong("it has no root folder");
  if (inodes_used_ != inodes_.size()) return Wrong("an inode that no path has");
  return Ok();
}

Status Parser::ReadMembers(Reader& in) {
  uint64_t offset = 0;
  uint64_t content = 0;
  index_.members.reserve(counts_.members);
  for (uint32_t i = 0; i < counts_.members; ++i) {
    LayerIndex::Member member{.framing_offset = in.U64(), .size = in.U64(), .object = in.Id()};
    if (member.framing_offset < offset || member.framing_offset > index_.framing_bytes) {
      return Wrong("content at a place that is not in the tar");
    }
    if (member.size > index_.tar_bytes - content) return Wrong("more content than the tar has");
    offset = member.framing_offset;
    content += member.size;
    index_.members.push_back(member);
  }
  if (index_.tar_bytes - content != index_.framing_bytes) return Wrong("framing and content do not add up to the tar");
  return Ok();
}

Status Parser::ReadDropped(Reader& in) {
  for (uint32_t i = 0; i < counts_.dropped; ++i) {
    LayerIndex::Dropped dropped;
    ASSIGN_OR_RETURN(dropped.path, Text(in));
    const uint32_t reason = in.U32();
    if (reason < 1 || reason > 4) return Wrong("something dropped for no known reason");
    dropped.reason = static_cast<LayerIndex::Reason>(reason);
    index_.dropped.push_back(std::move(dropped));
  }
  return Ok();
}

Status Parser::ReadSections() {
  TRY(ReadHeader());
  Reader& inodes = Section(counts_.inodes * kInodeSize);
  Reader& entries = Section(counts_.entries * kEntrySize);
  Reader& xattrs = Section(counts_.xattrs * kXattrSize);
  Reader& members = Section(counts_.members * kMemberSize);
  Reader& dropped = Section(counts_.dropped * kDroppedSize);
  text_ = &Section(counts_.text);
  index_.framing.resize(counts_.framing);
  TRY((*read_)(sections_end_, std::as_writable_bytes(std::span(index_.framing))));
  TRY(ReadXattrs(xattrs));
  TRY(ReadInodes(inodes));
  TRY(ReadEntries(entries));
  TRY(ReadMembers(members));
  TRY(ReadDropped(dropped));
  if (text_used_ != counts_.text) return Wrong("text that nothing uses");
  return Ok();
}

Result<LayerIndex> Parser::Run() {
  Status status = ReadSections();
  // What could not be read is not to be called damaged.
  for (const Reader& section : sections_) TRY(section.status());
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
void AddContent(const Node& node, std::unordered_set<const Inode*>& seen, uint64_t& sum) {
  if (seen.insert(node.inode.get()).second) sum += node.inode->size;
  for (const auto& [name, child] : node.children) AddContent(child, seen, sum);
}
}  // namespace

uint64_t ContentBytes(const Node& root) {
  std::unordered_set<const Inode*> seen;
  uint64_t sum = 0;
  AddContent(root, seen, sum);
  return sum;
}

}  // namespace hostapp
