// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/ostree_format.h"

#include <ostree.h>
#include <sys/stat.h>

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

void AppendBigEndian(uint32_t value, std::string& out) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

// Of each of the `count` ends behind `bytes` bytes.
size_t EndSize(size_t bytes, size_t count) {
  for (size_t size = 1; size < 8; size *= 2) {
    if ((bytes + size * count) >> (8 * size) == 0) return size;
  }
  return 8;
}

void AppendEnd(size_t end, size_t size, std::string& out) {
  for (size_t i = 0; i < size; ++i) out.push_back(static_cast<char>(end >> (8 * i)));
}

// Makes what `out` has from `begin` on a tuple whose first member ends at `end`, and whose second one is its last.
void EndPair(size_t begin, size_t end, std::string& out) {
  AppendEnd(end - begin, EndSize(out.size() - begin, 1), out);
}

void EndArray(VariantArray& array) {
  const size_t size = EndSize(array.bytes.size(), array.ends.size());
  for (const size_t end : array.ends) AppendEnd(end, size, array.bytes);
}

// With the NUL that ends it.
void AppendString(std::string_view text, std::string& out) {
  out.append(text);
  out.push_back('\0');
}

// a(ayay): names with their terminating NUL, in the order of their bytes (the map's).
void AppendXattrs(const Xattrs& xattrs, std::string& out) {
  VariantArray array;
  for (const auto& [name, value] : xattrs) {
    const size_t begin = array.bytes.size();
    AppendString(name, array.bytes);
    const size_t end = array.bytes.size();
    array.bytes.append(value);
    EndPair(begin, end, array.bytes);
    array.ends.push_back(array.bytes.size());
  }
  EndArray(array);
  out.append(array.bytes);
}

void AppendOwner(const Inode& inode, std::string& out) {
  AppendBigEndian(inode.uid, out);
  AppendBigEndian(inode.gid, out);
  AppendBigEndian(FullMode(inode), out);
}

}  // namespace

void HashObjectHeader(const Inode& inode, Hasher& hasher) {
  // Four bytes behind the length, so that the variant, (uuuusa(ayay)), begins at a multiple of eight.
  constexpr size_t kPrefix = 8;
  std::string header(kPrefix, '\0');
  AppendOwner(inode, header);
  AppendBigEndian(0, header);
  AppendString(inode.link_target, header);
  const size_t end = header.size();
  AppendXattrs(inode.xattrs, header);
  EndPair(kPrefix, end, header);
  std::string length;
  AppendBigEndian(static_cast<uint32_t>(header.size() - kPrefix), length);
  header.replace(0, length.size(), length);
  hasher.Update(AsBytes(header));
}

Sha256 SymlinkObjectId(const Inode& inode) {
  Hasher hasher;
  HashObjectHeader(inode, hasher);
  return ToSha256(hasher.Finish());
}

// (uuua(ayay))
std::string DirMetaBytes(const Inode& directory) {
  std::string out;
  AppendOwner(directory, out);
  AppendXattrs(directory.xattrs, out);
  return out;
}

// (say)
void DirTreeBuilder::AddFile(std::string_view name, const Sha256& object) {
  const size_t begin = files_.bytes.size();
  AppendString(name, files_.bytes);
  const size_t end = files_.bytes.size();
  files_.bytes.append(AsText(object));
  EndPair(begin, end, files_.bytes);
  files_.ends.push_back(files_.bytes.size());
}

// (sayay)
void DirTreeBuilder::AddDirectory(std::string_view name, const Sha256& tree, const Sha256& meta) {
  std::string& out = directories_.bytes;
  const size_t begin = out.size();
  AppendString(name, out);
  const size_t end = out.size() - begin;
  out.append(AsText(tree));
  out.append(AsText(meta));
  const size_t size = EndSize(out.size() - begin, 2);
  AppendEnd(end + tree.size(), size, out);
  AppendEnd(end, size, out);
  directories_.ends.push_back(out.size());
}

// (a(say)a(sayay))
std::string DirTreeBuilder::Finish() {
  EndArray(files_);
  EndArray(directories_);
  std::string out = std::move(files_.bytes);
  const size_t end = out.size();
  out.append(directories_.bytes);
  EndPair(0, end, out);
  return out;
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
