// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/tree_size.h"

#include <fcntl.h>

#include <algorithm>
#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/disk/ext4_folder.h"

namespace hostapp {
namespace {

constexpr uint64_t kGroupBytes = 8 * kExt4BlockBytes * kExt4BlockBytes;
// Names longer than this, and larger values, do not fit behind the inode: a block of their own.
constexpr uint64_t kInlineXattrBytes = 90;

uint64_t Blocks(uint64_t bytes) { return (bytes + kExt4BlockBytes - 1) / kExt4BlockBytes; }

class Measurer {
 public:
  Measurer(const AttributeSource& attributes, OpContext& ctx) : attributes_(attributes), ctx_(ctx) {}

  Status Folder(int dir, const struct stat& info) {
    TRY(ctx_.cancel.Check());
    ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir, "."));
    AddInode(info, FolderBlocks(names));
    for (const std::string& name : names) TRY(Child(dir, name));
    return Ok();
  }
  const TreeSize& size() const { return size_; }

 private:
  Status Child(int dir, const std::string& name) {
    struct stat info {};
    if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return SysError(errno, Escape(name));
    if (S_ISDIR(info.st_mode)) {
      const UniqueFd child(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!child.valid()) return SysError(errno, StrCat("opening the folder ", Escape(name)));
      return Folder(child.get(), info);
    }
    if (!S_ISREG(info.st_mode) && !S_ISLNK(info.st_mode)) {
      return Error(Errc::kCorrupt, StrCat(Escape(name), " is no file, folder or symbolic link"));
    }
    if (info.st_nlink > 1 && !seen_.insert({info.st_dev, info.st_ino}).second) return Ok();
    const auto bytes = static_cast<uint64_t>(info.st_size);
    const bool fast = S_ISLNK(info.st_mode) && bytes < kExt4FastLinkBytes;
    AddInode(info, fast ? 0 : Blocks(bytes));
    if (S_ISREG(info.st_mode)) size_.content_bytes += bytes;
    return Ok();
  }

  void AddInode(const struct stat& info, uint64_t blocks) {
    size_.inodes += 1;
    size_.blocks += blocks;
    uint64_t xattr_bytes = 0;
    for (const auto& [name, value] : attributes_(info).xattrs) xattr_bytes += 16 + name.size() + value.size() + 8;
    if (xattr_bytes > kInlineXattrBytes) size_.blocks += 1;
  }

  const AttributeSource& attributes_;
  OpContext& ctx_;
  TreeSize size_;
  std::set<std::pair<dev_t, ino_t>> seen_;
};

// As mke2fs chooses, from above.
uint64_t JournalBytes(uint64_t bytes) {
  if (bytes < 512 * kMiB) return 16 * kMiB;
  if (bytes < 1024 * kMiB) return 32 * kMiB;
  if (bytes < 128 * 1024 * kMiB) return 256 * kMiB;
  return 1024 * kMiB;
}

// Descriptors, with those that are kept free for growing a thousandfold, are in group 0, 1 and the powers of 3, 5, 7.
uint64_t DescriptorBytes(uint64_t bytes) {
  const uint64_t groups = bytes / kGroupBytes + 1;
  uint64_t copies = 2;
  for (const uint64_t base : {uint64_t{3}, uint64_t{5}, uint64_t{7}}) {
    for (uint64_t group = base; group < groups; group *= base) ++copies;
  }
  const uint64_t now = Blocks(groups * 64);
  const uint64_t later = std::min<uint64_t>(Blocks(groups * 64 * 1024), kExt4BlockBytes / 4);
  return copies * (1 + now + later) * kExt4BlockBytes;
}

uint64_t Overhead(uint64_t bytes, const TreeSize& tree) {
  const uint64_t groups = bytes / kGroupBytes + 1;
  const uint64_t inodes = Ext4Inodes(bytes, tree) + groups * 16;
  return inodes * kExt4InodeBytes + groups * 2 * kExt4BlockBytes + DescriptorBytes(bytes) + JournalBytes(bytes) + kMiB;
}

}  // namespace

Result<TreeSize> MeasureTree(int dir, const AttributeSource& attributes, OpContext& ctx) {
  struct stat info {};
  if (::fstat(dir, &info) != 0) return SysError(errno, "looking at the folder");
  Measurer measurer(attributes, ctx);
  TRY(measurer.Folder(dir, info));
  return measurer.size();
}

uint64_t Ext4Inodes(uint64_t bytes, const TreeSize& tree) {
  return std::max(bytes / 16384, tree.inodes + tree.inodes / 2 + 64);
}

uint64_t SmallestExt4(const TreeSize& tree, uint64_t free_bytes) {
  // Extents of files in many pieces, and the first blocks of tables.
  const uint64_t content = (tree.blocks + tree.blocks / 64 + 16) * kExt4BlockBytes + free_bytes;
  uint64_t bytes = content;
  // What it takes for itself grows with its size, by a fiftieth at most: this ends.
  for (uint64_t wanted = content + Overhead(bytes, tree); wanted > bytes; wanted = content + Overhead(bytes, tree)) {
    bytes = (wanted + kMiB - 1) / kMiB * kMiB;
  }
  return bytes;
}

}  // namespace hostapp
