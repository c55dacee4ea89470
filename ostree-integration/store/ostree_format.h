// SPDX-License-Identifier: Apache-2.0
// OSTree's object formats, as far as the store writes objects itself: libostree hashes with GLib's SHA-256, which is
// many times slower than libcrypto's.
//
// A content object's checksum is over a header (length, owner, mode, link target, extended attributes as a serialized
// variant, padded) and the content. Metadata objects' checksums are over their bytes. Everything is big-endian.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/base/hash.h"
#include "hostapp/base/result.h"
#include "ostree-integration/glib/handles.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {

// Feeds the header of a content object (`inode` is kFile or kSymlink) to `hasher`; the content comes after it.
void HashObjectHeader(const Inode& inode, Hasher& hasher);
Sha256 SymlinkObjectId(const Inode& inode);

glib::VariantPtr DirMetaVariant(const Inode& directory);

// Collects a folder's names for its tree object.
class DirTreeBuilder {
 public:
  DirTreeBuilder();
  ~DirTreeBuilder();
  DirTreeBuilder(const DirTreeBuilder&) = delete;
  DirTreeBuilder& operator=(const DirTreeBuilder&) = delete;
  // Both in the order of their bytes, files apart from folders.
  void AddFile(const std::string& name, const Sha256& object);
  void AddDirectory(const std::string& name, const Sha256& tree, const Sha256& meta);
  glib::VariantPtr Finish();

 private:
  GVariantBuilder files_;
  GVariantBuilder directories_;
};

struct CommitFields {
  glib::VariantPtr metadata;  // a{sv}
  std::string subject;
  uint64_t timestamp = 0;
  Sha256 root_tree{};
  Sha256 root_meta{};
};
glib::VariantPtr CommitVariant(const CommitFields& fields);

// The serialized bytes and their SHA-256.
ByteSpan VariantBytes(GVariant* variant);
Sha256 VariantId(GVariant* variant);

// Names and link targets are text to OSTree: UTF-8 without NUL. kCorrupt.
Status CheckOstreeText(std::string_view text, std::string_view what);

}  // namespace hostapp
