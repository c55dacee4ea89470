// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/composefs/layout.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "hostapp/base/strings.h"

namespace hostapp::composefs {
namespace {

constexpr uint64_t kMaxTail = kBlockBytes / 2;         // more of a folder or a file goes to a block of its own
constexpr uint64_t kMaxInodeArea = uint64_t{1} << 37;  // so that an inode's number has 32 bits
constexpr uint64_t kMaxImageBytes = uint64_t{UINT32_MAX} * kBlockBytes;

Place PlaceSymlink(uint64_t position, uint32_t head, DataSize data) {
  const uint64_t all = head + data.tail;
  const bool crosses = position / kBlockBytes != (position + all - 1) / kBlockBytes;
  if (crosses) position = RoundUp(position, kBlockBytes);
  if (all >= kBlockBytes) data = {.blocks = data.blocks + 1, .tail = 0};
  return {.at = position, .data = data};
}

}  // namespace

Place PlaceInode(uint64_t position, const Inode& inode, uint32_t head, DataSize data) {
  position = RoundUp(position, kSlotBytes);
  if (inode.type() == S_IFLNK) return PlaceSymlink(position, head, data);
  const auto room = [head](uint64_t at) { return kBlockBytes - (at + head) % kBlockBytes; };
  if (room(position) >= data.tail) return {.at = position, .data = data};
  const uint64_t moved = position + RoundUp(room(position), kSlotBytes);
  if (room(moved) >= data.tail) return {.at = moved, .data = data};
  return {.at = RoundUp(position, kBlockBytes), .data = {.blocks = data.blocks + 1, .tail = 0}};
}

Chunks ChunksOf(uint64_t file_bytes) {
  const auto wanted = static_cast<uint32_t>(std::bit_width(file_bytes - 1));
  const uint32_t bits = std::clamp(wanted, kBlockBits, kMaxChunkBits);
  const uint64_t chunk = uint64_t{1} << bits;
  return {.bits = bits, .count = static_cast<uint32_t>((file_bytes + chunk - 1) / chunk)};
}

Result<Layout> Layout::Of(const TreeData& tree, FormatVersion version) {
  Layout layout(tree);
  TRY(layout.SortEntries());
  layout.OrderInodes();
  layout.AddXattrs(version);
  layout.ShareXattrs();
  TRY(layout.PlaceInodes());
  return layout;
}

Status Layout::SortEntries() {
  first_entry_.assign(tree_->inodes.size() + 1, 0);
  for (const Entry& entry : tree_->entries) ++first_entry_[entry.folder + 1];
  for (size_t i = 1; i < first_entry_.size(); ++i) first_entry_[i] += first_entry_[i - 1];
  entries_.resize(tree_->entries.size());
  // From the back, so that the counts become the beginnings; entries of a folder come in the order they were added.
  std::vector<uint32_t> end(first_entry_.begin() + 1, first_entry_.end());
  for (uint32_t i = static_cast<uint32_t>(entries_.size()); i-- > 0;) entries_[--end[tree_->entries[i].folder]] = i;

  const auto by_name = [this](uint32_t a, uint32_t b) {
    const Entry &left = tree_->entries[a], &right = tree_->entries[b];
    const int order = tree_->Name(left).compare(tree_->Name(right));
    return order != 0 ? order < 0 : left.kind < right.kind;
  };
  for (uint32_t folder = 0; folder < tree_->inodes.size(); ++folder) {
    const auto first = entries_.begin() + first_entry_[folder];
    const auto last = entries_.begin() + first_entry_[folder + 1];
    if (last - first < 2) continue;
    if (!std::is_sorted(first, last, by_name)) std::sort(first, last, by_name);
    if (folder == kRootInode) DropDefaults();
    TRY(CheckNames(folder));
  }
  return Ok();
}

// The root's entries are the first ones: what is left of them moves to the end of their place.
void Layout::DropDefaults() {
  size_t to = first_entry_[kRootInode + 1];
  for (size_t i = to; i-- > 0;) {
    const Entry& entry = tree_->entries[entries_[i]];
    const bool taken = entry.kind == Entry::Kind::kDefault && i > 0 &&
                       tree_->Name(entry) == tree_->Name(tree_->entries[entries_[i - 1]]);
    if (!taken) entries_[--to] = entries_[i];
  }
  first_entry_[kRootInode] = static_cast<uint32_t>(to);
}

Status Layout::CheckNames(uint32_t folder) const {
  const std::span<const uint32_t> entries = EntriesOf(folder);
  for (size_t i = 1; i < entries.size(); ++i) {
    const std::string_view name = tree_->Name(tree_->entries[entries[i]]);
    if (name == tree_->Name(tree_->entries[entries[i - 1]]))
      return Error(Errc::kCorrupt, StrCat(tree_->PathOf(folder, name), ": twice in the tree"));
  }
  return Ok();
}

void Layout::OrderInodes() {
  order_.reserve(tree_->inodes.size());
  order_.push_back(kRootInode);
  const Inode& root = tree_->inodes[kRootInode];
  auto oldest = std::pair(root.mtime, root.mtime_nanos);
  for (size_t i = 0; i < order_.size(); ++i) {
    const Inode& inode = tree_->inodes[order_[i]];
    oldest = std::min(oldest, std::pair(inode.mtime, inode.mtime_nanos));
    if (!inode.is_folder()) continue;
    for (const uint32_t number : EntriesOf(order_[i])) {
      const Entry& entry = tree_->entries[number];
      if (entry.kind != Entry::Kind::kHardLink) order_.push_back(entry.inode);
    }
  }
  std::tie(build_time_, build_time_nanos_) = oldest;
}

DataSize Layout::FolderSize(uint32_t folder) const {
  DataSize size;
  ForEachName(folder, [&](std::string_view name, uint32_t) {
    const auto bytes = static_cast<uint32_t>(kDirentBytes + name.size());
    if (size.tail + bytes > kBlockBytes) size = {.blocks = size.blocks + 1, .tail = 0};
    size.tail += bytes;
  });
  if (size.tail > kMaxTail) size = {.blocks = size.blocks + 1, .tail = 0};
  return size;
}

DataSize Layout::FileSize(const Inode& inode) {
  if (inode.type() == S_IFLNK) return {.tail = static_cast<uint32_t>(inode.size)};
  if (inode.type() != S_IFREG || inode.size == 0) return {};
  if (inode.backed) return {.tail = ChunksOf(inode.size).count * kChunkEntryBytes};
  const auto blocks = static_cast<uint32_t>(inode.size / kBlockBytes);
  const auto tail = static_cast<uint32_t>(inode.size % kBlockBytes);
  if (tail > kMaxTail) return {.blocks = blocks + 1, .tail = 0};
  return {.blocks = blocks, .tail = tail};
}

// A compact inode has no mtime of its own and small fields.
bool Layout::IsCompact(const Inode& inode, uint64_t size) const {
  return inode.mtime == build_time_ && inode.mtime_nanos == build_time_nanos_ && inode.links <= UINT16_MAX &&
         inode.uid <= UINT16_MAX && inode.gid <= UINT16_MAX && size <= UINT32_MAX;
}

Head Layout::HeadOf(const Inode& inode, DataSize data, uint32_t xattr_bytes) const {
  Head head{.size = inode.is_folder() ? data.blocks * kBlockBytes + data.tail : inode.size};
  head.compact = IsCompact(inode, head.size);
  head.bytes = (head.compact ? kCompactInodeBytes : kExtendedInodeBytes) + xattr_bytes;
  return head;
}

Status Layout::PlaceInodes() {
  nids_.resize(tree_->inodes.size());
  xattr_bytes_.reserve(order_.size());
  uint64_t position = kInodesAt;
  for (const uint32_t number : order_) {
    const Inode& inode = tree_->inodes[number];
    const DataSize data = inode.is_folder() ? FolderSize(number) : FileSize(inode);
    if (inode.is_folder()) folder_sizes_.push_back(data);
    xattr_bytes_.push_back(CountXattrBytes(number));
    const uint32_t head = HeadOf(inode, data, xattr_bytes_.back()).bytes;
    const Place place = PlaceInode(position, inode, head, data);
    nids_[number] = static_cast<uint32_t>(place.at / kSlotBytes);
    data_blocks_ += place.data.blocks;
    position = place.at + head + place.data.tail;
  }
  inodes_end_ = RoundUp(position, kSlotBytes);
  data_at_ = RoundUp(inodes_end_ + shared_bytes_, kBlockBytes);
  if (inodes_end_ > kMaxInodeArea || bytes() > kMaxImageBytes)
    return Error(Errc::kCorrupt, StrCat("a tree whose image would have ", bytes(), " bytes"));
  return Ok();
}

}  // namespace hostapp::composefs
