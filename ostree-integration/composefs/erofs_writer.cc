// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/erofs_writer.h"

#include <vector>

#include "hostapp/base/check.h"
#include "ostree-integration/composefs/erofs_format.h"
#include "ostree-integration/composefs/image_stream.h"
#include "ostree-integration/composefs/layout.h"

namespace hostapp::composefs {
namespace {

FileType FileTypeOf(const Inode& inode) {
  switch (inode.type()) {
    case S_IFDIR:
      return FileType::kFolder;
    case S_IFCHR:
      return FileType::kCharDevice;
    case S_IFBLK:
      return FileType::kBlockDevice;
    case S_IFIFO:
      return FileType::kFifo;
    case S_IFSOCK:
      return FileType::kSocket;
    case S_IFLNK:
      return FileType::kSymlink;
    default:
      return FileType::kRegular;
  }
}

// i_xattr_icount: the words behind the header, and one.
uint16_t XattrCount(uint32_t bytes) {
  if (bytes == 0) return 0;
  return static_cast<uint16_t>((bytes - kXattrHeaderBytes) / kXattrWord + 1);
}

// One pass over a layout. Positions are decided again on the way, by the functions that the layout was made with.
class Writer {
 public:
  Writer(const TreeData& tree, const Layout& layout, ByteSink& sink) : tree_(tree), layout_(layout), out_(sink) {}

  Result<Sha256> Write(FormatVersion version) {
    WriteHeader(version);
    WriteSuperBlock();
    WriteInodes();
    for (const XattrTable::Id xattr : layout_.shared_xattrs()) WriteXattr(xattr);
    WriteData();
    CHECK(out_.position() == layout_.bytes());
    return out_.Finish();
  }

 private:
  // An inode's fields that follow from where it is.
  struct Facts {
    uint64_t size = 0;
    bool compact = false;
    uint32_t xattr_bytes = 0;
    DataSize data;
    uint32_t number = 0;  // in the order of the image
    uint32_t detail = 0;  // i_u: a block, a device, the chunks' size
    uint16_t format = 0;
  };

  void WriteHeader(FormatVersion version);
  void WriteSuperBlock();
  void WriteInodes();
  Facts Place(uint32_t inode);
  uint32_t DetailOf(const Inode& inode, const DataSize& data);
  void WriteCompact(const Inode& inode, const Facts& facts);
  void WriteExtended(const Inode& inode, const Facts& facts);
  void WriteXattrs(uint32_t inode);
  void WriteXattr(XattrTable::Id xattr);
  void WriteTail(uint32_t inode, const DataSize& data);
  void WriteData();

  enum class Part { kBlocks, kTail };
  void WriteFolder(uint32_t folder, const DataSize& data, Part part);
  void WriteDirents();
  void WriteNullChunks(uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) out_.Number(kNullBlock);
  }

  struct Dirent {
    std::string_view name;
    uint32_t inode;
  };
  struct InBlocks {
    uint32_t inode;
    DataSize data;
  };

  const TreeData& tree_;
  const Layout& layout_;
  ImageStream out_;
  size_t folders_ = 0;                  // placed so far
  uint32_t inodes_ = 0;                 // written so far
  uint64_t next_block_ = 0;             // of data
  std::vector<InBlocks> in_blocks_;     // inodes with such
  std::vector<Dirent> dirents_;         // of the block that is being gathered
  std::vector<uint32_t> shared_words_;  // of the inode that is being written
  std::vector<XattrTable::Id> own_xattrs_;
};

void Writer::WriteHeader(FormatVersion version) {
  out_.Number(kComposefsMagic);
  out_.Number(kComposefsHeaderVersion);
  out_.Number(layout_.has_acl() ? kComposefsHasAcl : 0);
  out_.Number(static_cast<uint32_t>(version));
  out_.ZerosUpTo(kSuperBlockAt);
}

void Writer::WriteSuperBlock() {
  out_.Number(kErofsMagic);
  out_.Zeros(4);  // no checksum
  out_.Number(kCompatMtime | kCompatXattrFilter);
  out_.Number(static_cast<uint8_t>(kBlockBits));
  out_.Zeros(1);
  out_.Number(static_cast<uint16_t>(layout_.nid(kRootInode)));
  out_.Number(uint64_t{layout_.inodes().size()});
  out_.Number(static_cast<uint64_t>(layout_.build_time()));
  out_.Number(layout_.build_time_nanos());
  out_.Number(static_cast<uint32_t>(layout_.bytes() / kBlockBytes));
  out_.Zeros(4);  // inodes are counted from block 0
  out_.Number(static_cast<uint32_t>(layout_.inodes_end() / kBlockBytes));
  out_.ZerosUpTo(kInodesAt);
}

void Writer::WriteInodes() {
  next_block_ = layout_.data_at() / kBlockBytes;
  for (const uint32_t number : layout_.inodes()) {
    const Inode& inode = tree_.inodes[number];
    const Facts facts = Place(number);
    if (facts.compact) {
      WriteCompact(inode, facts);
    } else {
      WriteExtended(inode, facts);
    }
    WriteXattrs(number);
    WriteTail(number, facts.data);
  }
  out_.AlignTo(kSlotBytes);
  CHECK(out_.position() == layout_.inodes_end());
}

Writer::Facts Writer::Place(uint32_t number) {
  const Inode& inode = tree_.inodes[number];
  Facts facts{.xattr_bytes = layout_.xattr_bytes()[inodes_], .number = inodes_};
  ++inodes_;
  const DataSize data = inode.is_folder() ? layout_.folder_sizes()[folders_++] : Layout::FileSize(inode);
  const Head head = layout_.HeadOf(inode, data, facts.xattr_bytes);
  facts.size = head.size;
  facts.compact = head.compact;
  const composefs::Place place = PlaceInode(out_.position(), inode, head.bytes, data);
  CHECK(place.at == layout_.nid(number) * kSlotBytes);
  out_.ZerosUpTo(place.at);
  facts.data = place.data;
  facts.detail = DetailOf(inode, facts.data);
  DataLayout data_layout = facts.data.tail > 0 ? DataLayout::kFlatInline : DataLayout::kFlatPlain;
  if (inode.backed) data_layout = DataLayout::kChunkBased;
  facts.format = static_cast<uint16_t>((static_cast<uint16_t>(data_layout) << 1) | (facts.compact ? 0 : 1));
  if (facts.data.blocks > 0) {
    in_blocks_.push_back({.inode = number, .data = facts.data});
    next_block_ += facts.data.blocks;
  }
  return facts;
}

uint32_t Writer::DetailOf(const Inode& inode, const DataSize& data) {
  if (inode.is_device()) return inode.detail;
  uint32_t detail = data.blocks > 0 ? static_cast<uint32_t>(next_block_) : 0;
  // The chunks' size is 16 bits; where the table has a block of its own, the reference leaves the upper half of that.
  if (inode.backed) detail = (detail & 0xffff0000) | (ChunksOf(inode.size).bits - kBlockBits);
  return detail;
}

void Writer::WriteCompact(const Inode& inode, const Facts& facts) {
  out_.Number(facts.format);
  out_.Number(XattrCount(facts.xattr_bytes));
  out_.Number(inode.mode);
  out_.Number(static_cast<uint16_t>(inode.links));
  out_.Number(static_cast<uint32_t>(facts.size));
  out_.Zeros(4);
  out_.Number(facts.detail);
  out_.Number(facts.number);
  out_.Number(static_cast<uint16_t>(inode.uid));
  out_.Number(static_cast<uint16_t>(inode.gid));
  out_.Zeros(4);
}

void Writer::WriteExtended(const Inode& inode, const Facts& facts) {
  out_.Number(facts.format);
  out_.Number(XattrCount(facts.xattr_bytes));
  out_.Number(inode.mode);
  out_.Zeros(2);
  out_.Number(facts.size);
  out_.Number(facts.detail);
  out_.Number(facts.number);
  out_.Number(inode.uid);
  out_.Number(inode.gid);
  out_.Number(static_cast<uint64_t>(inode.mtime));
  out_.Number(inode.mtime_nanos);
  out_.Number(inode.links);
  out_.Zeros(16);
}

void Writer::WriteXattrs(uint32_t inode) {
  const std::span<const XattrTable::Id> xattrs = layout_.XattrsOf(inode);
  if (xattrs.empty()) return;
  uint32_t filter = UINT32_MAX;  // a bit is set while no name has it
  shared_words_.clear();
  own_xattrs_.clear();
  for (const XattrTable::Id xattr : xattrs) {
    filter &= ~(uint32_t{1} << tree_.xattrs.name(xattr).filter_bit);
    const std::optional<uint64_t> at = layout_.SharedAt(xattr, static_cast<uint32_t>(shared_words_.size()));
    if (at) {
      shared_words_.push_back(static_cast<uint32_t>((layout_.inodes_end() % kBlockBytes + *at) / kXattrWord));
    } else {
      own_xattrs_.push_back(xattr);
    }
  }
  out_.Number(filter);
  out_.Number(static_cast<uint8_t>(shared_words_.size()));
  out_.Zeros(7);
  for (const uint32_t word : shared_words_) out_.Number(word);
  for (const XattrTable::Id xattr : own_xattrs_) WriteXattr(xattr);
}

void Writer::WriteXattr(XattrTable::Id xattr) {
  const XattrTable::Name& name = tree_.xattrs.name(xattr);
  const std::string_view value = tree_.xattrs.value(xattr);
  out_.Number(static_cast<uint8_t>(name.suffix.size()));
  out_.Number(name.index);
  out_.Number(static_cast<uint16_t>(value.size()));
  out_.Text(name.suffix);
  out_.Text(value);
  out_.AlignTo(kXattrWord);
}

void Writer::WriteTail(uint32_t number, const DataSize& data) {
  const Inode& inode = tree_.inodes[number];
  if (data.tail == 0) return;
  if (inode.is_folder()) return WriteFolder(number, data, Part::kTail);
  if (inode.backed) return WriteNullChunks(data.tail / kChunkEntryBytes);
  out_.Text(tree_.Content(inode).substr(inode.size - data.tail));
}

void Writer::WriteData() {
  out_.AlignTo(kBlockBytes);
  for (const auto& [number, data] : in_blocks_) {
    const Inode& inode = tree_.inodes[number];
    if (inode.is_folder()) {
      WriteFolder(number, data, Part::kBlocks);
    } else if (inode.backed) {
      WriteNullChunks(kMaxChunks);
    } else {
      out_.Text(tree_.Content(inode).substr(0, inode.size - data.tail));
      out_.AlignTo(kBlockBytes);
    }
  }
}

// A folder's names are cut in blocks; each has its entries, then its names. What doesn't fill a block may be the tail.
void Writer::WriteFolder(uint32_t folder, const DataSize& data, Part part) {
  uint32_t block = 0;
  uint64_t used = 0;
  const auto write = [&] {
    if (part == (block < data.blocks ? Part::kBlocks : Part::kTail)) WriteDirents();
    if (part == Part::kBlocks) out_.AlignTo(kBlockBytes);
    dirents_.clear();
    ++block;
    used = 0;
  };
  layout_.ForEachName(folder, [&](std::string_view name, uint32_t inode) {
    const uint64_t bytes = kDirentBytes + name.size();
    if (used + bytes > kBlockBytes) write();
    used += bytes;
    dirents_.push_back({.name = name, .inode = inode});
  });
  write();
}

void Writer::WriteDirents() {
  size_t name_at = dirents_.size() * kDirentBytes;
  for (const Dirent& dirent : dirents_) {
    out_.Number(layout_.nid(dirent.inode));
    out_.Number(static_cast<uint16_t>(name_at));
    out_.Number(static_cast<uint8_t>(FileTypeOf(tree_.inodes[dirent.inode])));
    out_.Zeros(1);
    name_at += dirent.name.size();
  }
  for (const Dirent& dirent : dirents_) out_.Text(dirent.name);
}

}  // namespace

Result<Image> WriteImage(const Tree& tree, FormatVersion version, ByteSink& out) {
  ASSIGN_OR_RETURN(const Layout layout, Layout::Of(tree.data(), version));
  ASSIGN_OR_RETURN(const Sha256 digest, Writer(tree.data(), layout, out).Write(version));
  return Image{.digest = digest, .bytes = layout.bytes()};
}

}  // namespace hostapp::composefs
