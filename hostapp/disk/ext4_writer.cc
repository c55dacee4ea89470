// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/ext4_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <map>

#include "hostapp/base/durable.h"
#include "hostapp/base/run_program.h"
#include "hostapp/disk/ext4_features.h"
#include "hostapp/disk/ext4_folder.h"
#include "hostapp/disk/ext4_volume.h"

namespace hostapp {
namespace {

constexpr size_t kChunk = size_t{1} << 20;
constexpr size_t kHoleUnit = size_t{64} << 10;
constexpr std::chrono::seconds kLongestMke2fs = std::chrono::minutes(10);
constexpr std::chrono::seconds kLongestE2fsck = std::chrono::hours(1);
constexpr const char* kLostFound = "lost+found";

Status MakeEmpty(const std::string& file, const Ext4Options& options, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::string program, FindProgram("mke2fs", "e2fsprogs"));
  const std::vector<std::string> argv = {program,
                                         "-q",
                                         "-F",
                                         "-O",
                                         kExt4Features,
                                         "-b",
                                         StrCat(kExt4BlockBytes),
                                         "-I",
                                         StrCat(kExt4InodeBytes),
                                         "-N",
                                         StrCat(options.inodes),
                                         "-m",
                                         "1",
                                         "-e",
                                         "remount-ro",
                                         "-U",
                                         options.uuid.ToString(),
                                         "-L",
                                         options.label,
                                         "-E",
                                         StrCat("offset=", options.offset, ",hash_seed=", options.hash_seed.ToString(),
                                                ",lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0,nodiscard"),
                                         file,
                                         StrCat(options.bytes / kExt4BlockBytes)};
  const std::vector<std::string> environment = {"MKE2FS_CONFIG=/dev/null", "LC_ALL=C", "MKE2FS_SYNC=0",
                                                StrCat("E2FSPROGS_FAKE_TIME=", std::max<int64_t>(1, options.time))};
  ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(argv, kLongestMke2fs, ctx, environment));
  if (result.Succeeded()) return Ok();
  return Error(Errc::kIo, StrCat("mke2fs: ", result.Ending(), ": ", Escape(Trim(result.output))));
}

// Gives folders of many blocks their hash trees, which libext2fs has no call for, and checks the whole file system.
// What would have to be mended was written wrongly here, even where e2fsck could mend it.
Status IndexAndCheck(const std::string& file, const Ext4Options& options, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::string program, FindProgram("e2fsck", "e2fsprogs"));
  const std::vector<std::string> argv = {program, "-f", "-p", "-D", StrCat(file, "?offset=", options.offset)};
  const std::vector<std::string> environment = {"E2FSCK_CONFIG=/dev/null", "LC_ALL=C",
                                                StrCat("E2FSCK_TIME=", std::max<int64_t>(1, options.time))};
  ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(argv, kLongestE2fsck, ctx, environment));
  // 1: something was changed, and the hash trees were.
  const bool ended_well = result.end == ProgramResult::End::kExited && result.code <= 1;
  if (ended_well && result.output.find("FIXED") == std::string::npos) return Ok();
  return Error(Errc::kInternal, StrCat("e2fsck: ", result.Ending(), ": ", Escape(Trim(result.output))));
}

bool AllZero(ByteSpan bytes) {
  return bytes.empty() ||
         (bytes[0] == std::byte{0} && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Fills the buffer from `offset` on; less only at the end of the file.
Result<size_t> ReadAt(int fd, MutableByteSpan buffer, uint64_t offset) {
  size_t have = 0;
  while (have < buffer.size()) {
    const ssize_t got = ::pread(fd, buffer.data() + have, buffer.size() - have, static_cast<off_t>(offset + have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, "reading");
    if (got == 0) break;
    have += static_cast<size_t>(got);
  }
  return have;
}

class Filler {
 public:
  Filler(Ext4Volume& volume, const TreeSize& size, const AttributeSource& attributes, OpContext& ctx)
      : volume_(volume), size_(size), attributes_(attributes), ctx_(ctx), buffer_(kChunk) {}

  Status Root(int dir);
  Status Finish();

 private:
  struct Linked {
    ext2_ino_t number = 0;
    uint64_t links = 0;
  };

  Result<FolderEntry> Child(int dir, const std::string& name, ext2_ino_t parent);
  Result<ext2_ino_t> Folder(int dir, const std::string& name, const struct stat& info, ext2_ino_t parent);
  Status FillFolder(int dir, ext2_ino_t number, ext2_ino_t parent, ext2_inode_large& inode,
                    std::vector<FolderEntry> entries);
  Result<ext2_ino_t> FileOrLink(int dir, const std::string& name, const struct stat& info);
  Result<ext2_ino_t> File(int dir, const std::string& name, const struct stat& info);
  Status Content(int file, uint64_t bytes, ExtentWriter& out);
  Status Chunk(uint64_t offset, size_t bytes, ExtentWriter& out);
  Result<ext2_ino_t> Link(int dir, const std::string& name, const struct stat& info);
  Status SetLinks(const Linked& linked);
  void Report(uint64_t more);

  Ext4Volume& volume_;
  const TreeSize& size_;
  const AttributeSource& attributes_;
  OpContext& ctx_;
  std::vector<std::byte> buffer_;
  std::map<std::pair<dev_t, ino_t>, Linked> linked_;
  uint64_t done_ = 0;
};

void Filler::Report(uint64_t more) {
  done_ += more;
  ctx_.progress.Report({.stage = "disk", .item = {}, .done = done_, .total = size_.content_bytes});
}

// mke2fs has made it, with lost+found in it.
Status Filler::Root(int dir) {
  struct stat info {};
  if (::fstat(dir, &info) != 0) return SysError(errno, "looking at the folder");
  if (Exists(dir, kLostFound)) return Error(Errc::kInvalid, StrCat("the name ", kLostFound, " is ext4's own"));
  ASSIGN_OR_RETURN(ext2_inode_large made, volume_.ReadInode(EXT2_ROOT_INO));
  TRY(volume_.Empty(EXT2_ROOT_INO, made));
  const Attributes attributes = attributes_(info);
  ext2_inode_large inode = volume_.MakeInode(LINUX_S_IFDIR, attributes);
  TRY(volume_.WriteInode(EXT2_ROOT_INO, inode));
  std::vector<FolderEntry> entries;
  entries.push_back(
      {.name = kLostFound, .inode = volume_.fs()->super->s_first_ino, .type = static_cast<uint8_t>(EXT2_FT_DIR)});
  TRY(FillFolder(dir, EXT2_ROOT_INO, EXT2_ROOT_INO, inode, std::move(entries)));
  return volume_.SetXattrs(EXT2_ROOT_INO, attributes.xattrs);
}

Result<ext2_ino_t> Filler::Folder(int dir, const std::string& name, const struct stat& info, ext2_ino_t parent) {
  const UniqueFd child(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!child.valid()) return SysError(errno, "opening the folder");
  const Attributes attributes = attributes_(info);
  ASSIGN_OR_RETURN(const ext2_ino_t number, volume_.NewInode(Ext4Volume::Kind::kFolder));
  ext2_inode_large inode = volume_.MakeInode(LINUX_S_IFDIR, attributes);
  // On disk before its blocks: their checksums are over it too.
  TRY(volume_.WriteInode(number, inode));
  TRY(FillFolder(child.get(), number, parent, inode, {}));
  TRY(volume_.SetXattrs(number, attributes.xattrs));
  return number;
}

Status Filler::FillFolder(int dir, ext2_ino_t number, ext2_ino_t parent, ext2_inode_large& inode,
                          std::vector<FolderEntry> entries) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir, "."));
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(FolderEntry entry, Child(dir, name, number).While(Escape(name)));
    entries.push_back(std::move(entry));
  }
  const auto folders = static_cast<uint64_t>(std::count_if(
      entries.begin(), entries.end(), [](const FolderEntry& entry) { return entry.type == EXT2_FT_DIR; }));
  ASSIGN_OR_RETURN(ExtentWriter out, ExtentWriter::Begin(volume_, number, inode));
  std::vector<std::string> blocks = PackFolder(number, parent, entries);
  for (size_t i = 0; i < blocks.size(); ++i) TRY(out.WriteFolderBlock(i, blocks[i]));
  TRY(out.Finish());
  inode.i_size = static_cast<uint32_t>(blocks.size() * kExt4BlockBytes);
  // One: too many to count.
  inode.i_links_count = static_cast<uint16_t>(folders + 2 > kExt4MostLinks ? 1 : folders + 2);
  return volume_.WriteInode(number, inode);
}

Result<FolderEntry> Filler::Child(int dir, const std::string& name, ext2_ino_t parent) {
  TRY(ctx_.cancel.Check());
  struct stat info {};
  if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return SysError(errno, "looking at it");
  FolderEntry entry{.name = name};
  if (S_ISDIR(info.st_mode)) {
    entry.type = EXT2_FT_DIR;
    ASSIGN_OR_RETURN(entry.inode, Folder(dir, name, info, parent));
    return entry;
  }
  entry.type = S_ISLNK(info.st_mode) ? EXT2_FT_SYMLINK : EXT2_FT_REG_FILE;
  if (info.st_nlink < 2) {
    ASSIGN_OR_RETURN(entry.inode, FileOrLink(dir, name, info));
    return entry;
  }
  Linked& linked = linked_[{info.st_dev, info.st_ino}];
  if (linked.links == kExt4MostLinks) {
    TRY(SetLinks(linked));
    linked = {};
  }
  if (linked.links == 0) {
    ASSIGN_OR_RETURN(linked.number, FileOrLink(dir, name, info));
  }
  linked.links += 1;
  entry.inode = linked.number;
  return entry;
}

Result<ext2_ino_t> Filler::FileOrLink(int dir, const std::string& name, const struct stat& info) {
  if (S_ISREG(info.st_mode)) return File(dir, name, info);
  if (S_ISLNK(info.st_mode)) return Link(dir, name, info);
  return Error(Errc::kCorrupt, "it is no file, folder or symbolic link");
}

Result<ext2_ino_t> Filler::File(int dir, const std::string& name, const struct stat& info) {
  const UniqueFd file(::openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return SysError(errno, "opening it");
  const Attributes attributes = attributes_(info);
  const auto bytes = static_cast<uint64_t>(info.st_size);
  ASSIGN_OR_RETURN(const ext2_ino_t number, volume_.NewInode(Ext4Volume::Kind::kOther));
  ext2_inode_large inode = volume_.MakeInode(LINUX_S_IFREG, attributes);
  inode.i_size = static_cast<uint32_t>(bytes);
  inode.i_size_high = static_cast<uint32_t>(bytes >> 32);
  TRY(volume_.WriteInode(number, inode));
  ASSIGN_OR_RETURN(ExtentWriter out, ExtentWriter::Begin(volume_, number, inode));
  TRY(Content(file.get(), bytes, out));
  TRY(out.Finish());
  TRY(volume_.WriteInode(number, inode));
  TRY(volume_.SetXattrs(number, attributes.xattrs));
  return number;
}

Status Filler::Content(int file, uint64_t bytes, ExtentWriter& out) {
  for (uint64_t offset = 0; offset < bytes;) {
    TRY(ctx_.cancel.Check());
    // Where the source has a hole nothing need be read. (What is a hole in the end, only the content decides.)
    const off_t data = ::lseek(file, static_cast<off_t>(offset), SEEK_DATA);
    const uint64_t next = data >= 0 ? static_cast<uint64_t>(data) / kChunk * kChunk : errno == ENXIO ? bytes : offset;
    if (next > offset) {
      Report(std::min(next, bytes) - offset);
      offset = next;
      continue;
    }
    const size_t wanted = std::min<uint64_t>(kChunk, bytes - offset);
    ASSIGN_OR_RETURN(const size_t got, ReadAt(file, MutableByteSpan(buffer_).first(wanted), offset));
    if (got != wanted) return Error(Errc::kIo, StrCat("it ends after ", offset + got, " bytes of ", bytes));
    TRY(Chunk(offset, got, out));
    Report(got);
    offset += got;
  }
  return Ok();
}

// Writes the pieces of the buffer between holes.
Status Filler::Chunk(uint64_t offset, size_t bytes, ExtentWriter& out) {
  const size_t whole = (bytes + kExt4BlockBytes - 1) / kExt4BlockBytes * kExt4BlockBytes;
  std::fill(buffer_.begin() + static_cast<ptrdiff_t>(bytes), buffer_.begin() + static_cast<ptrdiff_t>(whole),
            std::byte{0});
  const ByteSpan all = ByteSpan(buffer_).first(whole);
  size_t from = 0;
  const auto write_until = [&](size_t end) -> Status {
    if (end == from) return Ok();
    return out.Write((offset + from) / kExt4BlockBytes, all.subspan(from, end - from));
  };
  for (size_t at = 0; at < whole; at += kHoleUnit) {
    const size_t unit = std::min(kHoleUnit, whole - at);
    // A short rest is written: a small file of zeros has its blocks, to be overwritten in place.
    if (unit < kHoleUnit || !AllZero(all.subspan(at, unit))) continue;
    TRY(write_until(at));
    from = at + unit;
  }
  return write_until(whole);
}

Result<ext2_ino_t> Filler::Link(int dir, const std::string& name, const struct stat& info) {
  std::array<char, PATH_MAX> target{};
  const ssize_t length = ::readlinkat(dir, name.c_str(), target.data(), target.size());
  if (length < 0) return SysError(errno, "reading the link");
  const auto bytes = static_cast<size_t>(length);
  if (bytes >= target.size()) return Error(Errc::kCorrupt, "the link's target is too long");
  const Attributes attributes = attributes_(info);
  ASSIGN_OR_RETURN(const ext2_ino_t number, volume_.NewInode(Ext4Volume::Kind::kOther));
  ext2_inode_large inode = volume_.MakeInode(LINUX_S_IFLNK, attributes);
  inode.i_size = static_cast<uint32_t>(bytes);
  if (bytes < kExt4FastLinkBytes) {
    std::memcpy(inode.i_block, target.data(), bytes);
  } else {
    TRY(volume_.WriteInode(number, inode));
    ASSIGN_OR_RETURN(ExtentWriter out, ExtentWriter::Begin(volume_, number, inode));
    TRY(out.Write(0, std::as_bytes(std::span(target))));
    TRY(out.Finish());
  }
  TRY(volume_.WriteInode(number, inode));
  TRY(volume_.SetXattrs(number, attributes.xattrs));
  return number;
}

Status Filler::SetLinks(const Linked& linked) {
  ASSIGN_OR_RETURN(ext2_inode_large inode, volume_.ReadInode(linked.number));
  inode.i_links_count = static_cast<uint16_t>(linked.links);
  return volume_.WriteInode(linked.number, inode);
}

Status Filler::Finish() {
  std::vector<Linked> all;
  for (const auto& [source, linked] : linked_) {
    if (linked.links > 1) all.push_back(linked);
  }
  std::sort(all.begin(), all.end(), [](const Linked& a, const Linked& b) { return a.number < b.number; });
  for (const Linked& linked : all) TRY(SetLinks(linked));
  return Ok();
}

Status CheckFits(const Ext4Volume& volume, const Ext4Options& options, const TreeSize& size) {
  if (volume.FreeBlocks() >= size.blocks && volume.FreeInodes() >= size.inodes) return Ok();
  return Error(Errc::kNoSpace,
               StrCat("a file system of ", options.bytes, " bytes has ", volume.FreeBlocks() * kExt4BlockBytes,
                      " bytes and ", volume.FreeInodes(), " inodes free, the content needs ",
                      size.blocks * kExt4BlockBytes, " and ", size.inodes));
}

}  // namespace

Status WriteExt4(const std::string& file, const Ext4Options& options, int tree, const TreeSize& size,
                 const AttributeSource& attributes, OpContext& ctx) {
  if (file.find('?') != std::string::npos) {
    return Error(Errc::kInvalid, StrCat(Escape(file), ": e2fsprogs cannot take a path with a question mark"));
  }
  TRY(MakeEmpty(file, options, ctx).While("making the file system ", Escape(options.label)));
  ASSIGN_OR_RETURN(Ext4Volume volume, Ext4Volume::Open(file, options.offset, options.time));
  TRY(CheckFits(volume, options, size));
  Filler filler(volume, size, attributes, ctx);
  TRY(filler.Root(tree).While("filling the file system ", Escape(options.label)));
  TRY(filler.Finish());
  TRY(volume.Close());
  return IndexAndCheck(file, options, ctx).While("checking the file system ", Escape(options.label));
}

}  // namespace hostapp
