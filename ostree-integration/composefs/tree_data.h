// SPDX-License-Identifier: Apache-2.0
// What a Tree consists of, for the writer. Private to this module.
#pragma once

#include <sys/stat.h>

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ostree-integration/composefs/arena.h"
#include "ostree-integration/composefs/xattr_table.h"

namespace hostapp::composefs {

inline constexpr uint32_t kRootInode = 0;

// A name in a folder.
struct Entry {
  enum class Kind : uint8_t {
    kInode,     // its inode lies here
    kHardLink,  // its inode lies where another entry says
    kDefault,   // only in the tree as long as no other entry has the name
  };
  uint32_t name = 0;    // in TreeData::bytes
  uint32_t inode = 0;   // of the file
  uint32_t folder = 0;  // the inode of the folder; of the root's own: itself
  uint8_t name_bytes = 0;
  Kind kind = Kind::kInode;
};

struct Inode {
  int64_t mtime = 0;
  uint64_t size = 0;  // of a regular file or symbolic link
  uint32_t mtime_nanos = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  uint32_t links = 1;
  // Of a folder: its entry. Of a symbolic link and of a file with its content: the bytes, in TreeData::bytes. Of a
  // device: its number.
  uint32_t detail = 0;
  uint32_t xattrs = 0;  // in TreeData::xattr_lists
  uint16_t xattr_count = 0;
  uint16_t mode = 0;  // with the type
  bool backed = false;
  bool links_given = false;
  bool holds_whiteouts = false;

  uint32_t type() const { return mode & S_IFMT; }
  bool is_folder() const { return type() == S_IFDIR; }
  bool is_device() const { return type() == S_IFCHR || type() == S_IFBLK; }
};

struct TreeData {
  Arena bytes;
  XattrTable xattrs;
  std::vector<Entry> entries;
  std::vector<Inode> inodes;
  std::vector<XattrTable::Id> xattr_lists;  // each sorted by name
  // What the writer adds to a folder that holds whiteouts; the last two from format version 1 on.
  std::array<XattrTable::Id, 4> whiteouts_folder{};

  std::string_view Name(const Entry& entry) const { return bytes.At(entry.name, entry.name_bytes); }
  std::string_view Content(const Inode& inode) const { return bytes.At(inode.detail, inode.size); }
  std::span<const XattrTable::Id> Xattrs(const Inode& inode) const {
    return std::span(xattr_lists).subspan(inode.xattrs, inode.xattr_count);
  }
  // From the root, for messages.
  std::string PathOf(uint32_t folder, std::string_view name) const;
};

}  // namespace hostapp::composefs
