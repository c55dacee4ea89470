// SPDX-License-Identifier: Apache-2.0
// OSTree's object formats, as far as the store writes objects itself: libostree hashes with GLib's SHA-256, which is
// many times slower than libcrypto's.
//
// A content object's checksum is over a header (length, owner, mode, link target, extended attributes as a serialized
// variant, padded) and the content. Metadata objects' checksums are over their bytes. Numbers are big-endian.
//
// A serialized variant has the ends of its members of variable size behind them, little-endian, each in as few bytes as
// hold the size of the whole: in their order in an array, in the other one in a tuple, where the last has none. Trees,
// folders and headers are written here, some thousands to an image: GLib's builders took a fifth of a merge.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hostapp/base/hash.h"
#include "hostapp/base/result.h"
#include "ostree-integration/glib/handles.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {

// Feeds the header of a content object (`inode` is kFile or kSymlink) to `hasher`; the content comes after it.
void HashObjectHeader(const Inode& inode, Hasher& hasher);
Sha256 SymlinkObjectId(const Inode& inode);

std::string DirMetaBytes(const Inode& directory);

// Variants in a row, and where each ends.
struct VariantArray {
  std::string bytes;
  std::vector<size_t> ends;
};

// Collects a folder's names for its tree object.
class DirTreeBuilder {
 public:
  // Both in the order of their bytes, files apart from folders.
  void AddFile(std::string_view name, const Sha256& object);
  void AddDirectory(std::string_view name, const Sha256& tree, const Sha256& meta);
  std::string Finish();

 private:
  VariantArray files_;
  VariantArray directories_;
};

struct CommitFields {
  glib::VariantPtr metadata;  // a{sv}
  std::string subject;
  uint64_t timestamp = 0;
  Sha256 root_tree{};
  Sha256 root_meta{};
};
glib::VariantPtr CommitVariant(const CommitFields& fields);

ByteSpan VariantBytes(GVariant* variant);

// Names and link targets are text to OSTree: UTF-8 without NUL. kCorrupt.
Status CheckOstreeText(std::string_view text, std::string_view what);

}  // namespace hostapp
