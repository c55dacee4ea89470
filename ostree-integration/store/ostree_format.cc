// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/ostree_format.h"

#include <ostree.h>
#include <sys/stat.h>

#include <iterator>

namespace hostapp {
namespace {

uint32_t TypeBits(Inode::Type type) {
  switch (type) {
    case Inode::Type::kFile:
      return S_IFREG;
    case Inode::Type::kDirectory:
      return S_IFDIR;
    case Inode::Type::kSymlink:
      return S_IFLNK;
  }
  return 0;
}

uint32_t FullMode(const Inode& inode) {
  if (inode.type == Inode::Type::kSymlink) return S_IFLNK | 0777;  // what Linux says for every link
  return TypeBits(inode.type) | inode.mode;
}

GVariant* BytesVariant(ByteSpan bytes) {
  return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, bytes.data(), bytes.size(), 1);
}

// a(ayay): names with their terminating NUL, in the order of their bytes (the map's).
GVariant* XattrsVariant(const Xattrs& xattrs) {
  GVariantBuilder builder;
  g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ayay)"));
  for (const auto& [name, value] : xattrs) {
    g_variant_builder_add(&builder, "(@ay@ay)", g_variant_new_bytestring(name.c_str()), BytesVariant(AsBytes(value)));
  }
  return g_variant_builder_end(&builder);
}

}  // namespace

void HashObjectHeader(const Inode& inode, Hasher& hasher) {
  const glib::VariantPtr header = glib::Sink(g_variant_new("(uuuus@a(ayay))", GUINT32_TO_BE(inode.uid),
                                                           GUINT32_TO_BE(inode.gid), GUINT32_TO_BE(FullMode(inode)), 0U,
                                                           inode.link_target.c_str(), XattrsVariant(inode.xattrs)));
  const ByteSpan bytes = VariantBytes(header.get());
  // The length, then four bytes so that the variant begins at a multiple of eight.
  const uint32_t prefix[2] = {GUINT32_TO_BE(static_cast<uint32_t>(bytes.size())), 0};
  hasher.Update(std::as_bytes(std::span(prefix)));
  hasher.Update(bytes);
}

Sha256 SymlinkObjectId(const Inode& inode) {
  Hasher hasher;
  HashObjectHeader(inode, hasher);
  return ToSha256(hasher.Finish());
}

glib::VariantPtr DirMetaVariant(const Inode& directory) {
  return glib::Sink(g_variant_new("(uuu@a(ayay))", GUINT32_TO_BE(directory.uid), GUINT32_TO_BE(directory.gid),
                                  GUINT32_TO_BE(FullMode(directory)), XattrsVariant(directory.xattrs)));
}

DirTreeBuilder::DirTreeBuilder() {
  g_variant_builder_init(&files_, G_VARIANT_TYPE("a(say)"));
  g_variant_builder_init(&directories_, G_VARIANT_TYPE("a(sayay)"));
}

DirTreeBuilder::~DirTreeBuilder() {
  g_variant_builder_clear(&files_);
  g_variant_builder_clear(&directories_);
}

void DirTreeBuilder::AddFile(const std::string& name, const Sha256& object) {
  GVariant* fields[] = {g_variant_new_string(name.c_str()), BytesVariant(object)};
  g_variant_builder_add_value(&files_, g_variant_new_tuple(fields, std::size(fields)));
}

void DirTreeBuilder::AddDirectory(const std::string& name, const Sha256& tree, const Sha256& meta) {
  GVariant* fields[] = {g_variant_new_string(name.c_str()), BytesVariant(tree), BytesVariant(meta)};
  g_variant_builder_add_value(&directories_, g_variant_new_tuple(fields, std::size(fields)));
}

glib::VariantPtr DirTreeBuilder::Finish() {
  return glib::Sink(
      g_variant_new("(@a(say)@a(sayay))", g_variant_builder_end(&files_), g_variant_builder_end(&directories_)));
}

glib::VariantPtr CommitVariant(const CommitFields& fields) {
  return glib::Sink(g_variant_new("(@a{sv}@ay@a(say)sst@ay@ay)", fields.metadata.get(), BytesVariant({}),
                                  g_variant_new_array(G_VARIANT_TYPE("(say)"), nullptr, 0), fields.subject.c_str(), "",
                                  GUINT64_TO_BE(fields.timestamp), BytesVariant(fields.root_tree),
                                  BytesVariant(fields.root_meta)));
}

ByteSpan VariantBytes(GVariant* variant) {
  return {static_cast<const std::byte*>(g_variant_get_data(variant)), g_variant_get_size(variant)};
}

Sha256 VariantId(GVariant* variant) { return ToSha256(HashOf(VariantBytes(variant))); }

Status CheckOstreeText(std::string_view text, std::string_view what) {
  if (text.find('\0') != std::string_view::npos) {
    return Error(Errc::kCorrupt, StrCat(what, " ", Escape(text), " has a NUL byte in it"));
  }
  if (!IsValidUtf8(text)) {
    return Error(Errc::kCorrupt, StrCat(what, " ", Escape(text), " is not UTF-8, which the store's format needs"));
  }
  return Ok();
}

}  // namespace hostapp
