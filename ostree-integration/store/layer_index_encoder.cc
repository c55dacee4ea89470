// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_index_encoder.h"

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

using namespace layer_index;  // NOLINT(google-build-using-namespace): the format of this file

constexpr size_t kBuffer = size_t{64} << 10;

size_t PathSize(size_t folder, std::string_view name) { return folder == 0 ? name.size() : folder + 1 + name.size(); }

}  // namespace

// Little-endian, collected into larger writes.
class LayerIndexEncoder::Writer {
 public:
  explicit Writer(ByteSink& out) : out_(out) { buffer_.reserve(kBuffer); }
  void U8(uint8_t value) { Little(value, 1); }
  void U32(uint32_t value) { Little(value, 4); }
  void U64(uint64_t value) { Little(value, 8); }
  void Bytes(ByteSpan bytes) { Text(AsText(bytes)); }
  void Text(std::string_view text) {
    if (buffer_.size() + text.size() > kBuffer) Flush();
    if (text.size() > kBuffer) {
      Send(text);
    } else {
      buffer_.append(text);
    }
  }
  void Zeros(size_t count) { Text(std::string(count, '\0')); }
  // A reference to the text that comes next in the text section, and where there that is.
  void TextBegins(uint64_t at) { text_at_ = at; }
  void Reference(size_t size) {
    U32(static_cast<uint32_t>(text_at_));
    U32(static_cast<uint32_t>(size));
    text_at_ += size;
  }
  Status Finish() {
    Flush();
    return std::move(status_);
  }

 private:
  void Little(uint64_t value, int bytes) {
    if (buffer_.size() + 8 > kBuffer) Flush();
    for (int i = 0; i < bytes; ++i) buffer_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void Send(std::string_view text) {
    if (status_.ok()) status_ = out_.Write(AsBytes(text));
  }
  void Flush() {
    Send(buffer_);
    buffer_.clear();
  }

  ByteSink& out_;
  std::string buffer_;
  Status status_;
  uint64_t text_at_ = 0;
};

void LayerIndexEncoder::Count(const Node& node, size_t path_size) {
  ++counts_.entries;
  path_text_ += path_size;
  const Inode& inode = *node.inode;
  const bool first =
      node.inode.use_count() == 1 || shared_.emplace(&inode, static_cast<uint32_t>(counts_.inodes)).second;
  if (first) {
    ++counts_.inodes;
    counts_.xattrs += inode.xattrs.size();
    target_text_ += inode.link_target.size();
    for (const auto& [name, value] : inode.xattrs) xattr_text_ += name.size() + value.size();
  }
  for (const auto& [name, child] : node.children) Count(child, PathSize(path_size, name));
}

Result<LayerIndexEncoder> LayerIndexEncoder::Make(const LayerIndex& index) {
  LayerIndexEncoder encoder(index);
  Counts& counts = encoder.counts_;
  encoder.Count(index.root, 0);
  counts.members = index.members.size();
  counts.dropped = index.dropped.size();
  counts.text = encoder.xattr_text_ + encoder.target_text_ + encoder.path_text_;
  for (const LayerIndex::Dropped& dropped : index.dropped) counts.text += dropped.path.size();
  counts.framing = index.framing.size();
  if (counts.total() > kMaxLayerIndexBytes) {
    return Error(Errc::kCorrupt, StrCat("its index would have ", HumanBytes(counts.total()),
                                        ", more than the limit of ", HumanBytes(kMaxLayerIndexBytes)));
  }
  return encoder;
}

template <typename Visit>
void LayerIndexEncoder::EachInode(const Node& node, uint32_t& next, Visit visit) const {
  const auto shared = shared_.find(node.inode.get());
  if (shared == shared_.end() || shared->second == next) {
    ++next;
    visit(*node.inode);
  }
  for (const auto& [name, child] : node.children) EachInode(child, next, visit);
}

void LayerIndexEncoder::WriteEntries(const Node& node, size_t path_size, uint32_t& next, Writer& out) const {
  const auto shared = shared_.find(node.inode.get());
  const uint32_t number = shared == shared_.end() ? next : shared->second;
  if (number == next) ++next;
  out.Reference(path_size);
  out.U32(number);
  out.U32(0);
  for (const auto& [name, child] : node.children) WriteEntries(child, PathSize(path_size, name), next, out);
}

void LayerIndexEncoder::WritePaths(const Node& node, std::string& path, Writer& out) const {
  out.Text(path);
  const size_t size = path.size();
  for (const auto& [name, child] : node.children) {
    if (size > 0) path += '/';
    path += name;
    WritePaths(child, path, out);
    path.resize(size);
  }
}

void LayerIndexEncoder::WriteHeader(Writer& out) const {
  out.Text(kMagic);
  out.U32(kLayerIndexVersion);
  out.U32(index_->diff_id.algorithm() == HashAlgorithm::kSha256 ? 1 : 2);
  out.Bytes(index_->diff_id.value().bytes);
  out.U64(counts_.total());
  for (const uint64_t count : {counts_.inodes, counts_.entries, counts_.xattrs, counts_.members, counts_.dropped}) {
    out.U32(static_cast<uint32_t>(count));
  }
  out.U32(0);
  out.U64(index_->tar_bytes);
  out.U64(counts_.text);
  out.U64(counts_.framing);
  out.U64(index_->framing_bytes);
  out.Zeros(16);
}

void LayerIndexEncoder::WriteInode(const Inode& inode, uint32_t& next_xattr, Writer& out) {
  const auto xattrs = static_cast<uint32_t>(inode.xattrs.size());
  out.U8(static_cast<uint8_t>(inode.type));
  out.U8(inode.implied ? kImpliedFlag : 0);
  out.Zeros(2);
  out.U32(inode.mode);
  out.U32(inode.uid);
  out.U32(inode.gid);
  out.U64(static_cast<uint64_t>(inode.mtime));
  out.U32(inode.mtime_nanos);
  out.U32(next_xattr);
  out.U32(xattrs);
  next_xattr += xattrs;
  out.Reference(inode.link_target.size());
  out.U32(0);
  out.U64(inode.size);
  out.Bytes(inode.content);
  out.Bytes(inode.verity);
  out.Bytes(inode.object);
}

void LayerIndexEncoder::WriteText(Writer& out) const {
  uint32_t next = 0;
  EachInode(index_->root, next, [&](const Inode& inode) {
    for (const auto& [name, value] : inode.xattrs) {
      out.Text(name);
      out.Text(value);
    }
  });
  next = 0;
  EachInode(index_->root, next, [&](const Inode& inode) { out.Text(inode.link_target); });
  std::string path;
  WritePaths(index_->root, path, out);
  for (const LayerIndex::Dropped& dropped : index_->dropped) out.Text(dropped.path);
}

Status LayerIndexEncoder::Write(ByteSink& sink) const {
  Writer out(sink);
  WriteHeader(out);
  uint32_t next = 0, next_xattr = 0;
  out.TextBegins(xattr_text_);
  EachInode(index_->root, next, [&](const Inode& inode) { WriteInode(inode, next_xattr, out); });
  next = 0;
  WriteEntries(index_->root, 0, next, out);
  out.TextBegins(0);
  next = 0;
  EachInode(index_->root, next, [&](const Inode& inode) {
    for (const auto& [name, value] : inode.xattrs) {
      out.Reference(name.size());
      out.Reference(value.size());
    }
  });
  for (const LayerIndex::Member& member : index_->members) {
    out.U64(member.framing_offset);
    out.U64(member.size);
    out.Bytes(member.object);
  }
  out.TextBegins(xattr_text_ + target_text_ + path_text_);
  for (const LayerIndex::Dropped& dropped : index_->dropped) {
    out.Reference(dropped.path.size());
    out.U32(static_cast<uint32_t>(dropped.reason));
  }
  WriteText(out);
  out.Text(index_->framing);
  return out.Finish();
}

}  // namespace hostapp
