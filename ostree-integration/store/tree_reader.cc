// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/tree_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>

#include "hostapp/base/durable.h"

namespace hostapp {
namespace {

Status CheckName(std::string_view name) {
  if (!name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos) return Ok();
  return Error(Errc::kCorrupt, StrCat("a tree object has the name ", Escape(name), " in it"));
}

// The child `index` of a tuple, as an object's checksum.
Result<Sha256> IdAt(GVariant* tuple, gsize index) {
  return IdFromVariant(glib::Adopt(g_variant_get_child_value(tuple, index)).get());
}

Result<std::string> NameAt(GVariant* tuple) {
  const glib::VariantPtr text = glib::Adopt(g_variant_get_child_value(tuple, 0));
  std::string name(g_variant_get_string(text.get(), nullptr));
  TRY(CheckName(name));
  return name;
}

// The child `index` of a tuple, an "ay".
std::string TextAt(GVariant* tuple, gsize index) {
  const glib::VariantPtr bytes = glib::Adopt(g_variant_get_child_value(tuple, index));
  gsize size = 0;
  const void* text = g_variant_get_fixed_array(bytes.get(), &size, 1);
  return {static_cast<const char*>(text), size};
}

Error NotFound(std::string_view commit, std::string_view path) {
  return Error(Errc::kNotFound, StrCat("the tree of ", commit.substr(0, 12), " has no ", Escape(path)));
}

// The folder `path` of a commit.
Result<TreeContents> Walk(const ImageStore& store, std::string_view commit, std::string_view path) {
  ASSIGN_OR_RETURN(const Sha256 id, ToObjectId(commit));
  ASSIGN_OR_RETURN(const CommitRoot root, LoadCommitRoot(store, id));
  ASSIGN_OR_RETURN(TreeContents at, LoadTree(store, root.tree));
  for (const std::string_view name : Split(path, '/')) {
    if (name.empty()) continue;
    const auto found =
        std::find_if(at.folders.begin(), at.folders.end(), [&](const TreeFolder& f) { return f.name == name; });
    if (found == at.folders.end()) return NotFound(commit, path);
    const Sha256 below = found->tree;
    ASSIGN_OR_RETURN(at, LoadTree(store, below));
  }
  return at;
}

Result<TreeEntry> FolderEntry(const ImageStore& store, const TreeFolder& folder) {
  ASSIGN_OR_RETURN(const Inode meta, LoadDirMeta(store, folder.meta));
  TreeEntry entry;
  entry.name = folder.name;
  entry.type = TreeEntry::Type::kDirectory;
  entry.mode = meta.mode;
  entry.checksum = Hex(folder.tree);
  return entry;
}

Result<TreeEntry> FileEntry(const ImageStore& store, const TreeFile& file) {
  const int objects = store.impl().objects.get();
  const std::string path = ObjectPath(file.object, "file");
  struct stat info {};
  if (::fstatat(objects, path.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return SysError(errno, StrCat("looking at the object of ", Escape(file.name), ", ", path));
  }
  TreeEntry entry;
  entry.name = file.name;
  entry.checksum = Hex(file.object);
  entry.mode = info.st_mode & 07777;
  if (S_ISREG(info.st_mode)) {
    entry.size = static_cast<uint64_t>(info.st_size);
    return entry;
  }
  if (!S_ISLNK(info.st_mode)) return Error(Errc::kCorrupt, StrCat("the object ", path, " is no file and no link"));
  entry.type = TreeEntry::Type::kSymlink;
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlinkat(objects, path.c_str(), target.data(), target.size());
  if (length < 0) return SysError(errno, StrCat("reading the link ", path));
  entry.link_target.assign(target.data(), static_cast<size_t>(length));
  return entry;
}

}  // namespace

Result<CommitRoot> LoadCommitRoot(const ImageStore& store, const Sha256& commit) {
  ASSIGN_OR_RETURN(const glib::VariantPtr variant, LoadMetadata(store, OSTREE_OBJECT_TYPE_COMMIT, commit));
  CommitRoot root;
  ASSIGN_OR_RETURN(root.tree, IdAt(variant.get(), 6));
  ASSIGN_OR_RETURN(root.meta, IdAt(variant.get(), 7));
  const glib::VariantPtr parent = glib::Adopt(g_variant_get_child_value(variant.get(), 1));
  if (g_variant_n_children(parent.get()) > 0) {
    ASSIGN_OR_RETURN(root.parent, IdFromVariant(parent.get()));
  }
  return root;
}

Result<Inode> LoadDirMeta(const ImageStore& store, const Sha256& meta) {
  ASSIGN_OR_RETURN(const glib::VariantPtr variant, LoadMetadata(store, OSTREE_OBJECT_TYPE_DIR_META, meta));
  guint32 uid = 0, gid = 0, mode = 0;
  g_variant_get_child(variant.get(), 0, "u", &uid);
  g_variant_get_child(variant.get(), 1, "u", &gid);
  g_variant_get_child(variant.get(), 2, "u", &mode);
  Inode inode;
  inode.type = Inode::Type::kDirectory;
  inode.uid = GUINT32_FROM_BE(uid);
  inode.gid = GUINT32_FROM_BE(gid);
  inode.mode = GUINT32_FROM_BE(mode) & 07777;
  const glib::VariantPtr xattrs = glib::Adopt(g_variant_get_child_value(variant.get(), 3));
  for (gsize i = 0; i < g_variant_n_children(xattrs.get()); ++i) {
    const glib::VariantPtr xattr = glib::Adopt(g_variant_get_child_value(xattrs.get(), i));
    // The name's NUL is in the object too.
    inode.xattrs[std::string(TextAt(xattr.get(), 0).c_str())] = TextAt(xattr.get(), 1);
  }
  return inode;
}

Result<TreeContents> LoadTree(const ImageStore& store, const Sha256& tree) {
  ASSIGN_OR_RETURN(const glib::VariantPtr variant, LoadMetadata(store, OSTREE_OBJECT_TYPE_DIR_TREE, tree));
  TreeContents out;
  const glib::VariantPtr files = glib::Adopt(g_variant_get_child_value(variant.get(), 0));
  for (gsize i = 0; i < g_variant_n_children(files.get()); ++i) {
    const glib::VariantPtr file = glib::Adopt(g_variant_get_child_value(files.get(), i));
    TreeFile entry;
    ASSIGN_OR_RETURN(entry.name, NameAt(file.get()));
    ASSIGN_OR_RETURN(entry.object, IdAt(file.get(), 1));
    out.files.push_back(std::move(entry));
  }
  const glib::VariantPtr folders = glib::Adopt(g_variant_get_child_value(variant.get(), 1));
  for (gsize i = 0; i < g_variant_n_children(folders.get()); ++i) {
    const glib::VariantPtr folder = glib::Adopt(g_variant_get_child_value(folders.get(), i));
    TreeFolder entry;
    ASSIGN_OR_RETURN(entry.name, NameAt(folder.get()));
    ASSIGN_OR_RETURN(entry.tree, IdAt(folder.get(), 1));
    ASSIGN_OR_RETURN(entry.meta, IdAt(folder.get(), 2));
    out.folders.push_back(std::move(entry));
  }
  return out;
}

Result<std::vector<TreeEntry>> ListTree(const ImageStore& store, std::string_view commit, std::string_view path) {
  ASSIGN_OR_RETURN(const TreeContents folder, Walk(store, commit, path));
  std::vector<TreeEntry> out;
  for (const TreeFile& file : folder.files) {
    ASSIGN_OR_RETURN(TreeEntry entry, FileEntry(store, file));
    out.push_back(std::move(entry));
  }
  for (const TreeFolder& below : folder.folders) {
    ASSIGN_OR_RETURN(TreeEntry entry, FolderEntry(store, below));
    out.push_back(std::move(entry));
  }
  std::sort(out.begin(), out.end(), [](const TreeEntry& a, const TreeEntry& b) { return a.name < b.name; });
  return out;
}

Result<UniqueFd> OpenFile(const ImageStore& store, std::string_view commit, std::string_view path) {
  const size_t slash = path.rfind('/');
  const std::string_view folder_path = slash == std::string_view::npos ? "" : path.substr(0, slash);
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  ASSIGN_OR_RETURN(const TreeContents folder, Walk(store, commit, folder_path));
  const auto found =
      std::find_if(folder.files.begin(), folder.files.end(), [&](const TreeFile& file) { return file.name == name; });
  if (found == folder.files.end()) return NotFound(commit, path);
  const std::string object = ObjectPath(found->object, "file");
  UniqueFd fd(::openat(store.impl().objects.get(), object.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (fd.valid()) return fd;
  if (errno == ELOOP) return Error(Errc::kNotFound, StrCat(Escape(path), " is a symbolic link, not a file"));
  return SysError(errno, StrCat("opening the object of ", Escape(path), ", ", object));
}

}  // namespace hostapp
