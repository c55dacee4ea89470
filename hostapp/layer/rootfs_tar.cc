// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <locale.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "hostapp/base/strings.h"
#include "hostapp/layer/fd_source.h"
#include "hostapp/layer/pax.h"
#include "hostapp/layer/rootfs_tree.h"
#include "hostapp/layer/tar_path.h"

namespace hostapp {
namespace {

using Type = TarEntry::Type;

constexpr size_t kReadBlock = size_t{1} << 20;
constexpr tar::PathLimits kLimits{.max_path = 4096, .max_component = 255, .max_depth = 256};

struct CloseArchive {
  void operator()(struct archive* archive) const { ::archive_read_free(archive); }
};
using ArchivePtr = std::unique_ptr<struct archive, CloseArchive>;

// libarchive converts names to the locale's character set. In this thread it is UTF-8 for a while, so that names come
// through as they are.
class Utf8Locale {
 public:
  Utf8Locale() : locale_(::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (locale_ != nullptr) before_ = ::uselocale(locale_);
  }
  ~Utf8Locale() {
    if (locale_ == nullptr) return;
    ::uselocale(before_);
    ::freelocale(locale_);
  }
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;

 private:
  locale_t locale_;
  locale_t before_ = nullptr;
};

class SpoolContent : public ContentReader {
 public:
  explicit SpoolContent(UniqueFd file) : file_(std::move(file)) {}
  Result<std::unique_ptr<ByteSource>> Open(const RootfsInode& inode) override {
    const uint64_t begin = inode.content_place;
    return std::unique_ptr<ByteSource>(new FdSource(file_.get(), begin, begin + inode.entry.size));
  }

 private:
  UniqueFd file_;
};

Result<UniqueFd> OpenSpool(const std::string& temp_dir) {
  UniqueFd file(::open(temp_dir.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (file.valid()) return file;
  if (errno != EOPNOTSUPP && errno != EISDIR) return SysError(errno, StrCat("making a file in ", Escape(temp_dir)));
  std::string name = StrCat(temp_dir, "/hostapp-pack-XXXXXX");
  file.Reset(::mkostemp(name.data(), O_CLOEXEC));
  if (!file.valid()) return SysError(errno, StrCat("making a file in ", Escape(temp_dir)));
  ::unlink(name.c_str());
  return file;
}

class TarRootfs {
 public:
  TarRootfs(struct archive* archive, int spool, RootfsTree& tree, OpContext& ctx)
      : archive_(archive), spool_(spool), tree_(tree), ctx_(ctx) {}

  Status ReadAll() {
    for (;;) {
      TRY(ctx_.cancel.Check());
      struct archive_entry* entry = nullptr;
      const int result = ::archive_read_next_header(archive_, &entry);
      if (result == ARCHIVE_EOF) return Ok();
      if (result != ARCHIVE_OK) return ArchiveError("reading a header");
      const char* name = ::archive_entry_pathname(entry);
      const std::string shown = Escape(name == nullptr ? "?" : name);
      TRY(Member(entry, name).While("member ", shown));
    }
  }

 private:
  Error ArchiveError(std::string_view doing) const {
    const char* text = ::archive_error_string(archive_);
    const int code = ::archive_errno(archive_);
    if (code == EIO || code == ENOSPC) return SysError(code, doing);
    return Error(Errc::kCorrupt, StrCat(doing, ": ", Escape(text == nullptr ? "no reason given" : text)));
  }

  // "./a", "/a" and "a/" are all a.
  static Result<std::string> PathOf(const char* name) {
    if (name == nullptr) return Error(Errc::kCorrupt, "a name that cannot be read");
    std::string_view text(name);
    while (text.starts_with('/')) text.remove_prefix(1);
    if (text.empty()) return std::string();
    return tar::NormalisePath(text, kLimits);
  }

  Status Member(struct archive_entry* from, const char* name) {
    ASSIGN_OR_RETURN(const std::string path, PathOf(name));
    if (const char* target = ::archive_entry_hardlink(from)) {
      ASSIGN_OR_RETURN(const std::string target_path, PathOf(target));
      // Below /dev and the like both names are left out.
      return AddHardlink(tree_, path, target_path);
    }
    RootfsInode inode;
    TRY(TakeMetadata(from, inode.entry));
    if (path.empty() && inode.entry.type != Type::kDirectory)
      return Error(Errc::kCorrupt, "the root must be a directory");
    if (inode.entry.type == Type::kFile) {
      inode.content_place = spooled_;
      ASSIGN_OR_RETURN(inode.entry.size, SpoolContentOf(from));
    }
    return AddToTree(tree_, path, std::move(inode));
  }

  Status TakeMetadata(struct archive_entry* from, TarEntry& entry) {
    switch (::archive_entry_filetype(from)) {
      case AE_IFREG:
        entry.type = Type::kFile;
        break;
      case AE_IFDIR:
        entry.type = Type::kDirectory;
        break;
      case AE_IFLNK:
        entry.type = Type::kSymlink;
        break;
      case AE_IFCHR:
        entry.type = Type::kCharDevice;
        break;
      case AE_IFBLK:
        entry.type = Type::kBlockDevice;
        break;
      case AE_IFIFO:
        entry.type = Type::kFifo;
        break;
      default:
        return Error(Errc::kCorrupt, "a type that no root file system has");
    }
    const int64_t uid = ::archive_entry_uid(from), gid = ::archive_entry_gid(from);
    if (uid < 0 || gid < 0 || uid > 0xfffffffe || gid > 0xfffffffe) return Error(Errc::kCorrupt, "an impossible owner");
    entry.uid = static_cast<uint32_t>(uid);
    entry.gid = static_cast<uint32_t>(gid);
    entry.mode = ::archive_entry_perm(from) & 07777;
    entry.mtime = tar::ClampTime(::archive_entry_mtime(from), 0).seconds;
    if (entry.type == Type::kCharDevice || entry.type == Type::kBlockDevice) {
      entry.device_major = static_cast<uint32_t>(::archive_entry_rdevmajor(from));
      entry.device_minor = static_cast<uint32_t>(::archive_entry_rdevminor(from));
    }
    if (entry.type == Type::kSymlink) {
      const char* target = ::archive_entry_symlink(from);
      if (target == nullptr || *target == '\0') return Error(Errc::kCorrupt, "a link to nothing");
      entry.link_target = target;
    }
    TakeXattrs(from, entry);
    return TakeAcls(from, entry);
  }

  static void TakeXattrs(struct archive_entry* from, TarEntry& entry) {
    const char* name = nullptr;
    const void* value = nullptr;
    size_t size = 0;
    ::archive_entry_xattr_reset(from);
    while (::archive_entry_xattr_next(from, &name, &value, &size) == ARCHIVE_OK) {
      entry.xattrs.insert_or_assign(name, std::string(static_cast<const char*>(value), size));
    }
  }

  // Access lists that the tar has as text (GNU tar, bsdtar) become the attributes that the kernel keeps.
  static Status TakeAcls(struct archive_entry* from, TarEntry& entry) {
    TRY(TakeAcl(from, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", entry));
    return TakeAcl(from, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", entry);
  }

  static void AppendLe(std::string& out, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
  }

  static Status TakeAcl(struct archive_entry* from, int which, const char* attribute, TarEntry& entry) {
    // More than the three entries that the mode is.
    const int count = ::archive_entry_acl_reset(from, which);
    const bool access = which == ARCHIVE_ENTRY_ACL_TYPE_ACCESS;
    if (count <= (access ? 3 : 0) || entry.xattrs.contains(attribute)) return Ok();
    std::map<std::pair<uint32_t, uint32_t>, uint32_t> sorted;  // (tag, id) → permissions
    int type = 0, permissions = 0, tag = 0, id = 0;
    const char* name = nullptr;
    while (::archive_entry_acl_next(from, which, &type, &permissions, &tag, &id, &name) == ARCHIVE_OK) {
      constexpr uint32_t kNoId = 0xffffffff;
      const std::map<int, uint32_t> tags = {{ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01u},  {ARCHIVE_ENTRY_ACL_USER, 0x02u},
                                            {ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04u}, {ARCHIVE_ENTRY_ACL_GROUP, 0x08u},
                                            {ARCHIVE_ENTRY_ACL_MASK, 0x10u},      {ARCHIVE_ENTRY_ACL_OTHER, 0x20u}};
      const auto known = tags.find(tag);
      if (known == tags.end()) return Error(Errc::kCorrupt, "an access list of unknown kind");
      const bool named = tag == ARCHIVE_ENTRY_ACL_USER || tag == ARCHIVE_ENTRY_ACL_GROUP;
      if (named && id < 0)
        return Error(Errc::kCorrupt, "an access list with names and no ids; make the tar with --numeric-owner");
      sorted[{known->second, named ? static_cast<uint32_t>(id) : kNoId}] = static_cast<uint32_t>(permissions) & 7;
    }
    std::string value;
    AppendLe(value, 2, 4);
    for (const auto& [key, allowed] : sorted) {
      AppendLe(value, key.first, 2);
      AppendLe(value, allowed, 2);
      AppendLe(value, key.second, 4);
    }
    entry.xattrs.emplace(attribute, std::move(value));
    return Ok();
  }

  // Appends the content to the spool file, holes as holes; returns its size.
  Result<uint64_t> SpoolContentOf(struct archive_entry* from) {
    uint64_t end = 0;
    for (;;) {
      const void* bytes = nullptr;
      size_t size = 0;
      la_int64_t offset = 0;
      const int result = ::archive_read_data_block(archive_, &bytes, &size, &offset);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK) return ArchiveError("reading content");
      TRY(ctx_.cancel.Check());
      if (offset < 0 || static_cast<uint64_t>(offset) < end)
        return Error(Errc::kCorrupt, "content that overlaps itself");
      TRY(WriteAt(ByteSpan(static_cast<const std::byte*>(bytes), size), spooled_ + static_cast<uint64_t>(offset)));
      end = static_cast<uint64_t>(offset) + size;
    }
    // A sparse file may end in a hole.
    const la_int64_t said = ::archive_entry_size_is_set(from) != 0 ? ::archive_entry_size(from) : 0;
    const uint64_t size = std::max(end, said < 0 ? 0 : static_cast<uint64_t>(said));
    spooled_ += size;
    const int truncated = ctx_.sys.Truncate(spool_, static_cast<off_t>(spooled_));
    if (truncated < 0) return SysError(-truncated, "growing the spool file");
    ctx_.progress.Report({.stage = "read", .item = {}, .done = spooled_, .total = {}});
    return size;
  }

  Status WriteAt(ByteSpan bytes, uint64_t offset) {
    while (!bytes.empty()) {
      const ssize_t put = ctx_.sys.PwriteAt(spool_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (put < 0) return SysError(static_cast<int>(-put), "writing the spool file");
      offset += static_cast<uint64_t>(put);
      bytes = bytes.subspan(static_cast<size_t>(put));
    }
    return Ok();
  }

  struct archive* archive_;
  int spool_;
  RootfsTree& tree_;
  OpContext& ctx_;
  uint64_t spooled_ = 0;
};

}  // namespace

Result<RootfsTree> ReadRootfsTar(const std::string& path, const std::string& temp_dir, OpContext& ctx) {
  const auto read = [&]() -> Result<RootfsTree> {
    const Utf8Locale utf8;
    const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.valid()) return SysError(errno, "opening it");
    ASSIGN_OR_RETURN(UniqueFd spool, OpenSpool(temp_dir));
    const ArchivePtr archive(::archive_read_new());
    CHECK(archive != nullptr);
    ::archive_read_support_filter_gzip(archive.get());
    ::archive_read_support_filter_xz(archive.get());
    ::archive_read_support_filter_zstd(archive.get());
    ::archive_read_support_format_tar(archive.get());
    if (::archive_read_open_fd(archive.get(), file.get(), kReadBlock) != ARCHIVE_OK) {
      return Error(Errc::kCorrupt, StrCat("no tar: ", Escape(::archive_error_string(archive.get()))));
    }
    RootfsTree tree;
    TRY(TarRootfs(archive.get(), spool.get(), tree, ctx).ReadAll());
    if (tree.paths.empty()) return Error(Errc::kCorrupt, "nothing in it");
    AddMissingFolders(tree);
    tree.content = std::make_unique<SpoolContent>(std::move(spool));
    return tree;
  };
  return read().While("reading the root file system ", Escape(path));
}

}  // namespace hostapp
