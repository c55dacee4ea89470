// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/layer_index_encoder.h"

#include <string>
#include <unordered_map>

#include "hostapp/base/strings.h"
#include "ostree-integration/store/layer_index_format.h"

namespace hostapp {
namespace {

using namespace layer_index;  // NOLINT(google-build-using-namespace): the format of this file

constexpr size_t kBuffer = size_t{64} << 10;

// What of an inode its kind says. Equal kinds give equal bytes.
std::string KindOf(const Inode& inode) {
  std::string out;
  if (inode.implied) {
    out.push_back(static_cast<char>(KindType::kImpliedFolder));
    return out;
  }
  out.push_back(static_cast<char>(static_cast<unsigned>(inode.type) | (inode.xattrs.empty() ? 0 : kHasXattrs)));
  if (inode.type != Inode::Type::kSymlink) AppendNumber(inode.mode, out);
  AppendNumber(inode.uid, out);
  AppendNumber(inode.gid, out);
  return out;
}

class CountingSink : public ByteSink {
 public:
  Status Write(ByteSpan bytes) override {
    count += bytes.size();
    return Ok();
  }
  uint64_t count = 0;
};

// One walk, collected into larger writes.
class Encoding {
 public:
  Encoding(const LayerIndex& index, ByteSink& out) : index_(index), out_(out) {}
  Status Run(uint64_t size);

 private:
  void AddHeader(uint64_t size);
  void AddInode(const std::shared_ptr<Inode>& inode);
  bool AddHardLink(const std::shared_ptr<Inode>& inode);
  bool IsNewTime(const Inode& inode) const;
  void AddTime(const Inode& inode);
  void AddXattrs(const Xattrs& xattrs);
  void AddFile(const Inode& file);
  Status AddChildren(const Node& folder);
  void AddNumber(uint64_t value) { AppendNumber(value, buffer_); }
  void AddLittle(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) buffer_.push_back(static_cast<char>(value >> (8 * i)));
  }
  void AddBytes(ByteSpan bytes) { buffer_.append(AsText(bytes)); }
  Status Flush(size_t keep) {
    if (buffer_.size() <= keep) return Ok();
    Status status = out_.Write(AsBytes(buffer_));
    buffer_.clear();
    return status;
  }

  const LayerIndex& index_;
  ByteSink& out_;
  std::string buffer_;
  std::unordered_map<std::string, uint64_t> kinds_;
  uint64_t files_ = 0;
  std::unordered_map<const Inode*, uint64_t> shared_;  // numbers of the files that may have several names
  int64_t mtime_ = 0;                                  // of the inode before
  uint32_t mtime_nanos_ = 0;
  uint64_t behind_ = 0;  // the block behind the content before
};

void Encoding::AddHeader(uint64_t size) {
  buffer_.append(kMagic);
  AddLittle(kLayerIndexVersion, 4);
  AddLittle(index_.diff_id.algorithm() == HashAlgorithm::kSha256 ? 1 : 2, 4);
  AddBytes(index_.diff_id.value().bytes);
  AddLittle(size, 8);
  AddLittle(index_.tar_bytes, 8);
  AddLittle(index_.framing.size(), 8);
  AddLittle(index_.replaced.size(), 4);
  AddLittle(index_.dropped.size(), 4);
}

// False: it is the first name of the inode.
bool Encoding::AddHardLink(const std::shared_ptr<Inode>& inode) {
  if (inode->type != Inode::Type::kFile) return false;
  if (inode.use_count() > 1) {
    const auto [known, is_first] = shared_.emplace(inode.get(), files_);
    if (!is_first) {
      AddNumber(kHardLink);
      AddNumber(known->second);
      return true;
    }
  }
  ++files_;
  return false;
}

bool Encoding::IsNewTime(const Inode& inode) const {
  return !inode.implied && (inode.mtime != mtime_ || inode.mtime_nanos != mtime_nanos_);
}

void Encoding::AddTime(const Inode& inode) {
  AddNumber(ToUnsigned(static_cast<uint64_t>(inode.mtime) - static_cast<uint64_t>(mtime_)));
  AddNumber(inode.mtime_nanos);
  mtime_ = inode.mtime;
  mtime_nanos_ = inode.mtime_nanos;
}

void Encoding::AddXattrs(const Xattrs& xattrs) {
  AddNumber(xattrs.size());
  for (const auto& [name, value] : xattrs) {
    AppendText(name, buffer_);
    AppendText(value, buffer_);
  }
}

void Encoding::AddFile(const Inode& file) {
  AddNumber(file.size);
  if (file.size == 0) return;
  AddNumber(ToUnsigned(file.tar_block - behind_));
  behind_ = BlockBehind(file.tar_block, file.size);
  AddBytes(file.content);
  AddBytes(file.verity);
  AddBytes(file.object);
}

void Encoding::AddInode(const std::shared_ptr<Inode>& inode) {
  if (AddHardLink(inode)) return;
  const bool new_time = IsNewTime(*inode);
  const auto [kind, is_new] = kinds_.try_emplace(KindOf(*inode), kinds_.size() + 1);
  AddNumber(Head(kind->second, new_time));
  if (is_new) buffer_.append(kind->first);
  if (new_time) AddTime(*inode);
  if (!inode->implied && !inode->xattrs.empty()) AddXattrs(inode->xattrs);
  if (inode->type == Inode::Type::kFile) AddFile(*inode);
  if (inode->type == Inode::Type::kSymlink) AppendText(inode->link_target, buffer_);
}

Status Encoding::AddChildren(const Node& folder) {
  AddNumber(folder.children.size());
  for (const auto& [name, child] : folder.children) {
    AppendText(name, buffer_);
    AddInode(child.inode);
    TRY(Flush(kBuffer));
    if (child.is_dir()) TRY(AddChildren(child));
  }
  return Ok();
}

Status Encoding::Run(uint64_t size) {
  AddHeader(size);
  AddInode(index_.root.inode);
  TRY(AddChildren(index_.root));
  uint64_t behind = 0;
  for (const LayerIndex::Replaced& replaced : index_.replaced) {
    AddNumber(replaced.tar_block - behind);
    AddNumber(replaced.size);
    AddBytes(replaced.object);
    behind = BlockBehind(replaced.tar_block, replaced.size);
    TRY(Flush(kBuffer));
  }
  for (const LayerIndex::Dropped& dropped : index_.dropped) {
    AppendText(dropped.path, buffer_);
    AddNumber(static_cast<uint64_t>(dropped.reason));
    TRY(Flush(kBuffer));
  }
  TRY(Flush(0));
  return out_.Write(AsBytes(index_.framing));
}

}  // namespace

Result<LayerIndexEncoder> LayerIndexEncoder::Make(const LayerIndex& index) {
  LayerIndexEncoder encoder(index);
  CountingSink count;
  TRY(Encoding(index, count).Run(0));
  encoder.size_ = count.count;
  if (encoder.size_ <= kMaxLayerIndexBytes) return encoder;
  return Error(Errc::kCorrupt, StrCat("its index would have ", HumanBytes(encoder.size_), ", more than the limit of ",
                                      HumanBytes(kMaxLayerIndexBytes)));
}

Status LayerIndexEncoder::Write(ByteSink& out) const { return Encoding(*index_, out).Run(size_); }

}  // namespace hostapp
