// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_index.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace hostapp {
namespace {

constexpr std::string_view kMagic = "hostappI";
constexpr size_t kHeaderSize = 160;
constexpr size_t kInodeSize = 152;
constexpr size_t kEntrySize = 16;
constexpr size_t kXattrSize = 16;
constexpr size_t kMemberSize = 48;
constexpr size_t kDroppedSize = 12;
constexpr uint8_t kImpliedFlag = 1;

class Writer {
 public:
  void U8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void U32(uint32_t value) { Little(value, 4); }
  void U64(uint64_t value) { Little(value, 8); }
  void Bytes(ByteSpan bytes) { out_.append(AsText(bytes)); }
  void Zeros(size_t count) { out_.append(count, '\0'); }
  size_t size() const { return out_.size(); }
  const std::string& text() const { return out_; }

 private:
  void Little(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
  }
  std::string out_;
};

// The caller has checked that there is enough.
class Reader {
 public:
  explicit Reader(ByteSpan bytes) : bytes_(bytes) {}
  uint8_t U8() { return static_cast<uint8_t>(Little(1)); }
  uint32_t U32() { return static_cast<uint32_t>(Little(4)); }
  uint64_t U64() { return Little(8); }
  ByteSpan Take(size_t count) {
    CHECK(count <= bytes_.size());
    const ByteSpan taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }
  Sha256 Id() {
    Sha256 id;
    std::memcpy(id.data(), Take(id.size()).data(), id.size());
    return id;
  }
  bool Zeros(size_t count) {
    const ByteSpan taken = Take(count);
    return std::all_of(taken.begin(), taken.end(), [](std::byte b) { return b == std::byte{0}; });
  }

 private:
  uint64_t Little(size_t count) {
    uint64_t value = 0;
    const ByteSpan taken = Take(count);
    for (size_t i = 0; i < count; ++i) value |= static_cast<uint64_t>(taken[i]) << (8 * i);
    return value;
  }
  ByteSpan bytes_;
};

struct TextRef {
  uint32_t offset = 0;
  uint32_t length = 0;
};

// Text, one after the other in the order of use: the reader wants exactly that, so no byte is unused or shared.
class Strings {
 public:
  TextRef Add(std::string_view text) {
    const TextRef ref{static_cast<uint32_t>(text_.size()), static_cast<uint32_t>(text.size())};
    text_.append(text);
    return ref;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

struct FlatEntry {
  std::string path;
  const Inode* inode = nullptr;
};

void Flatten(const Node& node, const std::string& path, std::vector<FlatEntry>& out) {
  out.push_back({path, node.inode.get()});
  for (const auto& [name, child] : node.children) Flatten(child, path.empty() ? name : StrCat(path, '/', name), out);
}

struct Encoder {
  Writer inodes, entries, xattrs, members, dropped;
  Strings strings;
  uint32_t inode_count = 0;
  uint32_t xattr_count = 0;

  void Text(Writer& to, std::string_view text) {
    const TextRef ref = strings.Add(text);
    to.U32(ref.offset);
    to.U32(ref.length);
  }
  void Add(const Inode& inode);
};

void Encoder::Add(const Inode& inode) {
  const auto first_xattr = xattr_count;
  xattr_count += static_cast<uint32_t>(inode.xattrs.size());
  inodes.U8(static_cast<uint8_t>(inode.type));
  inodes.U8(inode.implied ? kImpliedFlag : 0);
  inodes.Zeros(2);
  inodes.U32(inode.mode);
  inodes.U32(inode.uid);
  inodes.U32(inode.gid);
  inodes.U64(static_cast<uint64_t>(inode.mtime));
  inodes.U32(inode.mtime_nanos);
  inodes.U32(first_xattr);
  inodes.U32(static_cast<uint32_t>(inode.xattrs.size()));
  Text(inodes, inode.link_target);
  inodes.Zeros(4);
  inodes.U64(inode.size);
  inodes.Bytes(inode.content);
  inodes.Bytes(inode.verity);
  inodes.Bytes(inode.object);
  ++inode_count;
}

struct Header {
  uint64_t total = 0;
  uint32_t inodes = 0, entries = 0, xattrs = 0, members = 0, dropped = 0;
  uint64_t tar_bytes = 0, strings = 0, framing = 0, framing_bytes = 0;
};

Error Wrong(std::string_view rule) { return Error(Errc::kCorrupt, StrCat("the layer index is damaged: ", rule)); }

class Parser {
 public:
  explicit Parser(ByteSpan bytes) : bytes_(bytes), in_(bytes) {}
  Result<LayerIndex> Run();

 private:
  Status ReadHeader();
  Status ReadInodes(Reader in);
  Status ReadInode(Reader& in);
  Status ReadEntries(Reader in);
  Status ReadEntry(Reader& in);
  Status ReadXattrs(Reader in);
  Status ReadMembers(Reader in);
  Status ReadDropped(Reader in);
  Result<std::string> Text(Reader& in);
  Status Insert(const std::string& path, const std::shared_ptr<Inode>& inode);

  ByteSpan bytes_;
  Reader in_;
  Header header_;
  LayerIndex index_;
  std::string_view strings_;
  size_t strings_used_ = 0;
  std::vector<std::pair<std::string, std::string>> xattr_pairs_;
  std::vector<std::shared_ptr<Inode>> inodes_;
  size_t inodes_used_ = 0;  // by the paths so far: numbers are given in the order of first use
  uint32_t next_xattr_ = 0;
  bool has_root_ = false;
  std::string last_path_;
  std::unordered_map<std::string, Node*> folders_;
};

Status Parser::ReadHeader() {
  if (bytes_.size() < kHeaderSize) return Wrong("it is shorter than its header");
  Reader in(bytes_.first(kHeaderSize));
  if (AsText(in.Take(kMagic.size())) != kMagic) return Wrong("it does not begin with its magic");
  if (const uint32_t version = in.U32(); version != kLayerIndexVersion) {
    return Wrong(StrCat("version ", version, " is not known here"));
  }
  const uint32_t algorithm = in.U32();
  if (algorithm != 1 && algorithm != 2) return Wrong("the diff_id's algorithm is not known");
  HashValue diff_id;
  diff_id.algorithm = algorithm == 1 ? HashAlgorithm::kSha256 : HashAlgorithm::kSha512;
  std::memcpy(diff_id.bytes.data(), in.Take(HashSize(diff_id.algorithm)).data(), HashSize(diff_id.algorithm));
  if (!in.Zeros(64 - HashSize(diff_id.algorithm))) return Wrong("the diff_id is too long");
  index_.diff_id = Digest(diff_id);
  header_ = {.total = in.U64(),
             .inodes = in.U32(),
             .entries = in.U32(),
             .xattrs = in.U32(),
             .members = in.U32(),
             .dropped = in.U32()};
  if (!in.Zeros(4)) return Wrong("a reserved field is not zero");
  header_.tar_bytes = in.U64();
  header_.strings = in.U64();
  header_.framing = in.U64();
  header_.framing_bytes = in.U64();
  if (!in.Zeros(16)) return Wrong("a reserved field is not zero");
  // Each count is below 2^32 and each record below 2^8 bytes: no sum here can overflow before the limit is looked at.
  if (header_.strings > kMaxLayerIndexBytes || header_.framing > kMaxLayerIndexBytes) return Wrong("it is too large");
  const uint64_t total = kHeaderSize + uint64_t{header_.inodes} * kInodeSize + uint64_t{header_.entries} * kEntrySize +
                         uint64_t{header_.xattrs} * kXattrSize + uint64_t{header_.members} * kMemberSize +
                         uint64_t{header_.dropped} * kDroppedSize + header_.strings + header_.framing;
  if (total != header_.total || total != bytes_.size()) return Wrong("its sections do not add up to its size");
  return Ok();
}

// Text must be used in the order in which it is written, without gaps.
Result<std::string> Parser::Text(Reader& in) {
  const uint64_t offset = in.U32();
  const uint64_t length = in.U32();
  if (offset != strings_used_ || length > strings_.size() - strings_used_) return Wrong("text out of order");
  strings_used_ += length;
  return std::string(strings_.substr(offset, length));
}

Status Parser::ReadXattrs(Reader in) {
  for (uint32_t i = 0; i < header_.xattrs; ++i) {
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
  if (first != next_xattr_ || count > header_.xattrs - next_xattr_) return Wrong("extended attributes out of order");
  next_xattr_ += count;
  for (uint32_t i = first; i < first + count; ++i) {
    const auto& [name, value] = xattr_pairs_[i];
    if (i > first && xattr_pairs_[i - 1].first >= name) return Wrong("extended attributes out of order");
    inode->xattrs.emplace(name, value);
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

Status Parser::ReadInodes(Reader in) {
  inodes_.reserve(header_.inodes);
  for (uint32_t i = 0; i < header_.inodes; ++i) TRY(ReadInode(in));
  if (next_xattr_ != header_.xattrs) return Wrong("extended attributes that no inode has");
  return Ok();
}

bool IsFitName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('\0') == std::string_view::npos &&
         name.size() <= 255;
}

// The walk that writes it gives a folder before what is in it, and names in the order of their bytes.
Status Parser::Insert(const std::string& path, const std::shared_ptr<Inode>& inode) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  if (!IsFitName(name)) return Wrong("a path that is not normal");
  const auto found = folders_.find(folder);
  if (found == folders_.end()) return Wrong("a path in a folder that is not there");
  const bool walked = folder.empty() || last_path_ == folder || last_path_.starts_with(folder + '/');
  if (!walked) return Wrong("paths out of order");
  last_path_ = path;
  auto& children = found->second->children;
  if (!children.empty() && children.rbegin()->first >= name) return Wrong("paths out of order");
  Node& node = children.emplace_hint(children.end(), name, Node{inode, {}})->second;
  if (node.is_dir()) folders_.emplace(path, &node);
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
  if (has_root_) return Insert(path, inode);
  if (!path.empty() || inode->type != Inode::Type::kDirectory) return Wrong("its first path is not the root folder");
  index_.root.inode = inode;
  has_root_ = true;
  folders_.emplace("", &index_.root);
  return Ok();
}

Status Parser::ReadEntries(Reader in) {
  for (uint32_t i = 0; i < header_.entries; ++i) TRY(ReadEntry(in));
  if (!has_root_) return Wrong("it has no root folder");
  if (inodes_used_ != inodes_.size()) return Wrong("an inode that no path has");
  return Ok();
}

Status Parser::ReadMembers(Reader in) {
  uint64_t offset = 0;
  uint64_t content = 0;
  index_.members.reserve(header_.members);
  for (uint32_t i = 0; i < header_.members; ++i) {
    LayerIndex::Member member{.framing_offset = in.U64(), .size = in.U64(), .object = in.Id()};
    if (member.framing_offset < offset || member.framing_offset > header_.framing_bytes) {
      return Wrong("content at a place that is not in the tar");
    }
    if (member.size > header_.tar_bytes - content) return Wrong("more content than the tar has");
    offset = member.framing_offset;
    content += member.size;
    index_.members.push_back(member);
  }
  if (header_.tar_bytes - content != header_.framing_bytes)
    return Wrong("framing and content do not add up to the tar");
  return Ok();
}

Status Parser::ReadDropped(Reader in) {
  for (uint32_t i = 0; i < header_.dropped; ++i) {
    LayerIndex::Dropped dropped;
    ASSIGN_OR_RETURN(dropped.path, Text(in));
    const uint32_t reason = in.U32();
    if (reason < 1 || reason > 4) return Wrong("something dropped for no known reason");
    dropped.reason = static_cast<LayerIndex::Reason>(reason);
    index_.dropped.push_back(std::move(dropped));
  }
  return Ok();
}

Result<LayerIndex> Parser::Run() {
  TRY(ReadHeader());
  in_.Take(kHeaderSize);
  Reader inodes(in_.Take(header_.inodes * kInodeSize));
  Reader entries(in_.Take(header_.entries * kEntrySize));
  Reader xattrs(in_.Take(header_.xattrs * kXattrSize));
  Reader members(in_.Take(header_.members * kMemberSize));
  Reader dropped(in_.Take(header_.dropped * kDroppedSize));
  strings_ = AsText(in_.Take(header_.strings));
  index_.framing = std::string(AsText(in_.Take(header_.framing)));
  index_.tar_bytes = header_.tar_bytes;
  index_.framing_bytes = header_.framing_bytes;
  TRY(ReadXattrs(xattrs));
  TRY(ReadInodes(inodes));
  TRY(ReadEntries(entries));
  TRY(ReadMembers(members));
  TRY(ReadDropped(dropped));
  if (strings_used_ != strings_.size()) return Wrong("text that nothing uses");
  return std::move(index_);
}

}  // namespace

Result<std::string> EncodeLayerIndex(const LayerIndex& index) {
  std::vector<FlatEntry> flat;
  Flatten(index.root, "", flat);
  Encoder to;
  std::unordered_map<const Inode*, uint32_t> numbers;
  std::vector<const Inode*> order;
  for (const FlatEntry& entry : flat) {
    if (numbers.emplace(entry.inode, static_cast<uint32_t>(order.size())).second) order.push_back(entry.inode);
  }
  // Three passes over text, in the order in which the parser reads: attributes, link targets, paths.
  for (const Inode* inode : order) {
    for (const auto& [name, value] : inode->xattrs) {
      to.Text(to.xattrs, name);
      to.Text(to.xattrs, value);
    }
  }
  for (const Inode* inode : order) to.Add(*inode);
  for (const FlatEntry& entry : flat) {
    to.Text(to.entries, entry.path);
    to.entries.U32(numbers.at(entry.inode));
    to.entries.Zeros(4);
  }
  for (const LayerIndex::Member& member : index.members) {
    to.members.U64(member.framing_offset);
    to.members.U64(member.size);
    to.members.Bytes(member.object);
  }
  for (const LayerIndex::Dropped& dropped : index.dropped) {
    to.Text(to.dropped, dropped.path);
    to.dropped.U32(static_cast<uint32_t>(dropped.reason));
  }
  Writer out;
  out.Bytes(AsBytes(kMagic));
  out.U32(kLayerIndexVersion);
  out.U32(index.diff_id.algorithm() == HashAlgorithm::kSha256 ? 1 : 2);
  out.Bytes(index.diff_id.value().bytes);
  const uint64_t total = kHeaderSize + to.inodes.size() + to.entries.size() + to.xattrs.size() + to.members.size() +
                         to.dropped.size() + to.strings.text().size() + index.framing.size();
  if (total > kMaxLayerIndexBytes) {
    return Error(Errc::kCorrupt, StrCat("its index would have ", HumanBytes(total), ", more than the limit of ",
                                        HumanBytes(kMaxLayerIndexBytes)));
  }
  out.U64(total);
  out.U32(to.inode_count);
  out.U32(static_cast<uint32_t>(flat.size()));
  out.U32(to.xattr_count);
  out.U32(static_cast<uint32_t>(index.members.size()));
  out.U32(static_cast<uint32_t>(index.dropped.size()));
  out.Zeros(4);
  out.U64(index.tar_bytes);
  out.U64(to.strings.text().size());
  out.U64(index.framing.size());
  out.U64(index.framing_bytes);
  out.Zeros(16);
  CHECK(out.size() == kHeaderSize);
  for (const Writer* section : {&to.inodes, &to.entries, &to.xattrs, &to.members, &to.dropped}) {
    out.Bytes(AsBytes(section->text()));
  }
  out.Bytes(AsBytes(to.strings.text()));
  out.Bytes(AsBytes(index.framing));
  return out.text();
}

Result<LayerIndex> ParseLayerIndex(ByteSpan bytes) {
  if (bytes.size() > kMaxLayerIndexBytes) return Wrong("it is too large");
  return Parser(bytes).Run();
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
