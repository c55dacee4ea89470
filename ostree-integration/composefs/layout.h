// SPDX-License-Identifier: Apache-2.0
// Where everything of an image will be, decided before its first byte is written. Private to this module.
//
// An image is, in this order: composefs's header and the super block; the inodes, breadth first, each with its
// attributes and, where it is short, its data (a folder's names, a link's target, a file's content, a table of chunks);
// attributes that several inodes share; whole blocks of data that is not short.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hostapp/base/result.h"
#include "ostree-integration/composefs/erofs_format.h"
#include "ostree-integration/composefs/format_version.h"
#include "ostree-integration/composefs/tree_data.h"

namespace hostapp::composefs {

// How much of an inode's data stands in whole blocks, and how much right behind the inode.
struct DataSize {
  uint32_t blocks = 0;
  uint32_t tail = 0;  // bytes
};

struct Place {
  uint64_t at = 0;  // the inode's first byte in the image
  DataSize data;
};

// Where an inode of `head` bytes (attributes included) comes to lie when everything up to `position` is taken. A tail
// never crosses the end of a block; a symbolic link's inode and target neither.
Place PlaceInode(uint64_t position, const Inode& inode, uint32_t head, DataSize data);

// How a file of the store is cut in chunks: as few as can be, at least a block each.
struct Chunks {
  uint32_t bits = 0;
  uint32_t count = 0;
};
Chunks ChunksOf(uint64_t file_bytes);

// What stands before an inode's data.
struct Head {
  uint64_t size = 0;  // that the inode says its data has
  bool compact = false;
  uint32_t bytes = 0;  // of the inode with its attributes
};

class Layout {
 public:
  // kCorrupt: two entries with one name, or more than an image can have. Keeps a reference to `tree`. Sixteen bytes
  // an inode and four an entry.
  static Result<Layout> Of(const TreeData& tree, FormatVersion version);

  std::span<const uint32_t> inodes() const { return order_; }  // as they lie in the image; the root first
  uint64_t nid(uint32_t inode) const { return nids_[inode]; }

  // Entries of a folder, sorted by name; without "." and "..".
  std::span<const uint32_t> EntriesOf(uint32_t folder) const {
    return std::span(entries_).subspan(first_entry_[folder], first_entry_[folder + 1] - first_entry_[folder]);
  }
  // Calls `visit(name, inode)` for each of them with "." and ".." where they belong.
  template <typename Visit>
  void ForEachName(uint32_t folder, Visit visit) const;

  // As in the image, sorted by name: the tree's, and what the format adds.
  std::span<const XattrTable::Id> XattrsOf(uint32_t inode) const;
  // Where a shared attribute begins in their area, in bytes; nothing for one that stands with its inode: that a single
  // inode has, or one that `shared_before` (so many of the inode's others are shared already) leaves no room for.
  std::optional<uint64_t> SharedAt(XattrTable::Id xattr, uint32_t shared_before) const;
  std::span<const XattrTable::Id> shared_xattrs() const { return shared_; }

  Head HeadOf(const Inode& inode, DataSize data, uint32_t xattr_bytes) const;
  // Of attributes behind an inode; in the order of inodes().
  std::span<const uint32_t> xattr_bytes() const { return xattr_bytes_; }
  // Folders' sizes in the order of their inodes; before their place changes them.
  std::span<const DataSize> folder_sizes() const { return folder_sizes_; }
  static DataSize FileSize(const Inode& inode);

  int64_t build_time() const { return build_time_; }  // the oldest mtime
  uint32_t build_time_nanos() const { return build_time_nanos_; }
  bool has_acl() const { return has_acl_; }
  uint64_t inodes_end() const { return inodes_end_; }
  uint64_t data_at() const { return data_at_; }
  uint64_t bytes() const { return data_at_ + data_blocks_ * kBlockBytes; }

 private:
  explicit Layout(const TreeData& tree) : tree_(&tree) {}
  Status SortEntries();
  void DropDefaults();
  Status CheckNames(uint32_t folder) const;
  void OrderInodes();
  void AddXattrs(FormatVersion version);
  void SetXattr(uint32_t inode, XattrTable::Id xattr);
  void ShareXattrs();
  uint32_t CountXattrBytes(uint32_t inode) const;
  bool IsCompact(const Inode& inode, uint64_t size) const;
  DataSize FolderSize(uint32_t folder) const;
  Status PlaceInodes();

  const TreeData* tree_;
  std::vector<uint32_t> entries_;      // by folder, each folder's by name
  std::vector<uint32_t> first_entry_;  // by inode; one more at the end
  std::vector<uint32_t> order_;
  std::vector<uint32_t> nids_;         // by inode
  std::vector<uint32_t> xattr_bytes_;  // in the order of the image
  std::vector<DataSize> folder_sizes_;
  std::unordered_map<uint32_t, std::vector<XattrTable::Id>> added_xattrs_;  // the whole lists of these inodes
  std::vector<XattrTable::Id> shared_;
  std::vector<uint32_t> shared_words_;  // by attribute
  int64_t build_time_ = 0;
  uint32_t build_time_nanos_ = 0;
  bool has_acl_ = false;
  uint64_t inodes_end_ = 0;
  uint64_t shared_bytes_ = 0;
  uint64_t data_at_ = 0;
  uint64_t data_blocks_ = 0;  // from data_at_ on
};

template <typename Visit>
void Layout::ForEachName(uint32_t folder, Visit visit) const {
  const uint32_t parent = folder == kRootInode ? folder : tree_->entries[tree_->inodes[folder].detail].folder;
  const std::pair<std::string_view, uint32_t> dots[] = {{".", folder}, {"..", parent}};
  size_t dot = 0;
  for (const uint32_t number : EntriesOf(folder)) {
    const Entry& entry = tree_->entries[number];
    const std::string_view name = tree_->Name(entry);
    for (; dot < 2 && dots[dot].first < name; ++dot) visit(dots[dot].first, dots[dot].second);
    visit(name, entry.inode);
  }
  for (; dot < 2; ++dot) visit(dots[dot].first, dots[dot].second);
}

}  // namespace hostapp::composefs
