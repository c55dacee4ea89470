// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/boot_set.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/read_file.h"

namespace hostapp {
namespace {

constexpr const char* kSumsName = "SHA256SUMS";
constexpr uint64_t kMaxSumsBytes = 1 << 20;
// What a set takes besides the bytes of its files: folders, SHA256SUMS, and the unused end of each file's last block.
constexpr uint64_t kFoldersAndSums = 4;
constexpr uint64_t kMostBlockBytes = 4096;

std::string SetPath(const HashValue& digest) { return StrCat(kBootSetsDir, "/", digest.Hex()); }
std::string UnfinishedName(const HashValue& digest) { return StrCat(".", digest.Hex(), ".new"); }

std::optional<HashValue> DigestOfName(std::string_view name) {
  const auto bytes = HexDecode(name);
  if (!bytes || bytes->size() != HashSize(HashAlgorithm::kSha256)) return std::nullopt;
  HashValue value;
  std::copy(bytes->begin(), bytes->end(), value.bytes.begin());
  return value;
}

bool IsUnfinished(std::string_view name) {
  return name.starts_with('.') && name.ends_with(".new") && DigestOfName(name.substr(1, name.size() - 5)).has_value();
}

Status CopyFile(int from, int dir, const std::string& name, OpContext& ctx) {
  const UniqueFd to(ctx.sys.OpenAt(dir, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
  if (!to.valid()) return SysError(-to.get(), StrCat("creating ", name));
  TRY(ForEachChunk(from, [&](ByteSpan bytes) -> Status {
    TRY(ctx.cancel.Check());
    return WriteAll(to.get(), bytes, ctx.sys);
  }));
  return SyncFile(to.get(), ctx.sys);
}

// Hashes a file as the disk has it: its pages are dropped first (after a sync they are clean).
Result<MeasuredFile> MeasurePastCache(int dir, const std::string& path) {
  const UniqueFd fd(::openat(dir, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return SysError(errno, StrCat("opening ", path));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return MeasureFile(fd.get()).While("reading ", path);
}

struct SumsLine {
  std::string sha256;
  std::string name;
};

Result<std::vector<SumsLine>> ParseSums(std::string_view text) {
  std::vector<SumsLine> lines;
  for (const std::string_view line : Split(text, '\n')) {
    if (line.empty()) continue;
    const bool framed = line.size() > 66 && line.substr(64, 2) == "  " && HexDecode(line.substr(0, 64)).has_value();
    const std::string_view name = framed ? line.substr(66) : std::string_view();
    const std::vector<std::string_view> parts = Split(name, '/');
    const bool leaves = std::any_of(parts.begin(), parts.end(),
                                    [](std::string_view part) { return part.empty() || part == "." || part == ".."; });
    if (!framed || leaves) {
      return Error(Errc::kCorrupt, StrCat(kSumsName, ": the line \"", Escape(line), "\" is not \"<sha256>  <name>\""));
    }
    lines.push_back({std::string(line.substr(0, 64)), std::string(name)});
  }
  return lines;
}

Status WriteSet(int set_dir, const ImageStore& store, const std::string& commit, const BootSet& set, OpContext& ctx) {
  for (const BootFile& file : set.files) {
    const size_t slash = file.name.rfind('/');
    const std::string parent = slash == std::string::npos ? "." : file.name.substr(0, slash);
    ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(set_dir, parent, 0755, ctx.sys));
    ASSIGN_OR_RETURN(const UniqueFd from, OpenFile(store, commit, file.path));
    TRY(CopyFile(from.get(), dir.get(), file.name.substr(slash + 1), ctx).While("copying ", Escape(file.path)));
    TRY(SyncDir(dir.get(), ctx.sys));
  }
  TRY(ReplaceFile(set_dir, kSumsName, AsBytes(set.Sums()), 0644, ctx.sys));
  return SyncDir(set_dir, ctx.sys);
}

Status CheckBootSpace(const Sysroot& sysroot, const BootSet& set, OpContext& ctx) {
  ASSIGN_OR_RETURN(const FreeSpace free, FreeSpaceOn(sysroot.boot(), ctx.sys));
  const uint64_t inodes = set.files.size() + kFoldersAndSums;
  const uint64_t bytes = set.bytes + inodes * kMostBlockBytes;
  if (free.bytes >= bytes && free.inodes >= inodes) return Ok();
  return Error(Errc::kNoSpace,
               StrCat("the boot file system ", Escape(sysroot.paths().boot), " has ", free.bytes, " bytes and ",
                      free.inodes, " inodes free, the boot set needs ", bytes, " and ", inodes));
}

Result<uint64_t> BytesBelow(int dir, const std::string& path) {
  uint64_t total = 0;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(dir, path));
  for (const std::string& name : names) {
    const std::string child = StrCat(path, "/", name);
    struct stat info {};
    if (::fstatat(dir, child.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      return SysError(errno, StrCat("looking at ", child));
    if (S_ISDIR(info.st_mode)) {
      ASSIGN_OR_RETURN(const uint64_t below, BytesBelow(dir, child));
      total += below;
    } else {
      total += static_cast<uint64_t>(info.st_size);
    }
  }
  return total;
}

}  // namespace

std::string BootSet::Sums() const {
  std::string text;
  for (const BootFile& file : files) text += StrCat(file.sha256.Hex(), "  ", file.name, "\n");
  return text;
}

bool HasBootSet(const Sysroot& sysroot, const HashValue& digest) {
  return Exists(sysroot.boot(), StrCat(SetPath(digest), "/", kSumsName));
}

Status CheckBootSet(const Sysroot& sysroot, const HashValue& digest) {
  const std::string path = SetPath(digest);
  const std::string doing = StrCat("checking the boot set ", digest.Hex().substr(0, 12));
  ASSIGN_OR_RETURN(const std::string sums,
                   ReadFile(sysroot.boot(), StrCat(path, "/", kSumsName), kMaxSumsBytes).While(doing));
  if (HashOf(AsBytes(sums)) != digest) {
    return Error(Errc::kCorrupt, StrCat(doing, ": its ", kSumsName, " has been changed; run: hostapp fsck --repair"));
  }
  ASSIGN_OR_RETURN(const std::vector<SumsLine> lines, ParseSums(sums).While(doing));
  for (const SumsLine& line : lines) {
    ASSIGN_OR_RETURN(const MeasuredFile measured,
                     MeasurePastCache(sysroot.boot(), StrCat(path, "/", line.name)).While(doing));
    if (measured.sha256.Hex() != line.sha256) {
      return Error(Errc::kCorrupt, StrCat(doing, ": ", Escape(line.name), " has sha256 ", measured.sha256.Hex(),
                                          ", expected ", line.sha256, "; run: hostapp fsck --repair"));
    }
  }
  return Ok();
}

Status StageBootSet(const StoreLock& /*lock*/, const Sysroot& sysroot, const ImageStore& store,
                    const std::string& commit, const BootSet& set, OpContext& ctx) {
  const HashValue digest = set.digest();
  ASSIGN_OR_RETURN(const UniqueFd sets, MakeDirs(sysroot.boot(), kBootSetsDir, 0755, ctx.sys));
  if (HasBootSet(sysroot, digest)) {
    // It may be there since a moment ago, by a run that was interrupted before the name was durable.
    TRY(SyncDir(sets.get(), ctx.sys));
    TRY(SyncFilesystem(sets.get(), ctx.sys));
    return CheckBootSet(sysroot, digest);
  }
  TRY(CheckBootSpace(sysroot, set, ctx));
  const std::string unfinished = UnfinishedName(digest);
  TRY(RemoveTree(sets.get(), unfinished, ctx.sys));
  // Without a SHA256SUMS it is no set: a power cut that kept the folder's new name and lost its content.
  TRY(RemoveTree(sets.get(), digest.Hex(), ctx.sys));
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeDirs(sets.get(), unfinished, 0755, ctx.sys));
  Status status = WriteSet(dir.get(), store, commit, set, ctx);
  if (status.ok()) status = Rename(sets.get(), unfinished, sets.get(), digest.Hex(), ctx.sys);
  if (status.ok()) status = SyncDir(sets.get(), ctx.sys);
  if (status.ok()) status = SyncFilesystem(sets.get(), ctx.sys);
  if (status.ok()) status = CheckBootSet(sysroot, digest);
  if (status.ok()) return Ok();
  // Nothing refers to it yet, and what a sync did not take must not be found and believed by the next run.
  (void)RemoveTree(sets.get(), unfinished, ctx.sys);
  (void)RemoveTree(sets.get(), digest.Hex(), ctx.sys);
  return std::move(status).While("writing the boot set ", digest.Hex().substr(0, 12));
}

Result<std::vector<HashValue>> ListBootSets(const Sysroot& sysroot) {
  std::vector<HashValue> sets;
  if (!Exists(sysroot.boot(), kBootSetsDir)) return sets;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(sysroot.boot(), kBootSetsDir));
  for (const std::string& name : names) {
    if (const auto digest = DigestOfName(name)) sets.push_back(*digest);
  }
  return sets;
}

Result<uint64_t> BootSetBytes(const Sysroot& sysroot, const HashValue& digest) {
  return BytesBelow(sysroot.boot(), SetPath(digest));
}

Result<uint64_t> RemoveBootSet(const StoreLock& /*lock*/, const Sysroot& sysroot, const HashValue& digest,
                               OpContext& ctx) {
  if (!Exists(sysroot.boot(), SetPath(digest))) return uint64_t{0};
  ASSIGN_OR_RETURN(const uint64_t bytes, BootSetBytes(sysroot, digest));
  ASSIGN_OR_RETURN(const UniqueFd sets, OpenDir(sysroot.boot(), kBootSetsDir, ctx.sys));
  TRY(RemoveTree(sets.get(), digest.Hex(), ctx.sys));
  TRY(SyncDir(sets.get(), ctx.sys));
  return bytes;
}

Result<uint64_t> CollectUnfinishedBootSets(const StoreLock& /*lock*/, const Sysroot& sysroot, PruneMode mode,
                                           OpContext& ctx) {
  uint64_t bytes = 0;
  if (!Exists(sysroot.boot(), kBootSetsDir)) return bytes;
  ASSIGN_OR_RETURN(const UniqueFd sets, OpenDir(sysroot.boot(), kBootSetsDir, ctx.sys));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(sets.get(), "."));
  for (const std::string& name : names) {
    if (!IsUnfinished(name)) continue;
    ASSIGN_OR_RETURN(const uint64_t below, BytesBelow(sets.get(), name));
    bytes += below;
    if (mode == PruneMode::kRemove) TRY(RemoveTree(sets.get(), name, ctx.sys));
  }
  return bytes;
}

Result<uint64_t> LargestBootSet(const Sysroot& sysroot) {
  uint64_t largest = 0;
  ASSIGN_OR_RETURN(const std::vector<HashValue> sets, ListBootSets(sysroot));
  for (const HashValue& set : sets) {
    ASSIGN_OR_RETURN(const uint64_t bytes, BootSetBytes(sysroot, set));
    largest = std::max(largest, bytes);
  }
  return largest;
}

}  // namespace hostapp
