// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/boot_sets.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
#include "ostree-integration/sysroot/measure_file.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxSumsBytes = 1 << 20;

std::string SetPath(const HashValue& digest) { return StrCat(kBootSetsDir, "/", digest.Hex()); }

// Hashes a file as the disk has it: its pages are dropped first (after a sync they are clean).
Result<MeasuredFile> MeasurePastCache(int dir, const std::string& path) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenRegular(dir, path));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  return MeasureFile(fd.get()).While("reading ", path);
}

}  // namespace

Result<std::vector<BootSetFile>> ParseBootSetSums(std::string_view text) {
  std::vector<BootSetFile> files;
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
    files.push_back({std::string(line.substr(0, 64)), std::string(name)});
  }
  return files;
}

std::optional<HashValue> ParseBootSetName(std::string_view name) {
  const auto bytes = HexDecode(name);
  if (!bytes || bytes->size() != HashSize(HashAlgorithm::kSha256)) return std::nullopt;
  HashValue value;
  std::copy(bytes->begin(), bytes->end(), value.bytes.begin());
  return value;
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

Result<bool> HasBootFile(const Sysroot& sysroot, const HashValue& digest, const BootSetFile& file) {
  const auto measured = MeasurePastCache(sysroot.boot(), StrCat(SetPath(digest), "/", file.name));
  if (measured.ok()) return measured->sha256.Hex() == file.sha256;
  // Missing, something else, or damaged below the file system; whatever else it is says nothing about the file.
  if (measured.error().code() == Errc::kCorrupt) return false;
  constexpr std::array kNotWhole = {ENOENT, ENOTDIR, ELOOP, EIO, EUCLEAN, EBADMSG};
  const int error = measured.error().sys_errno();
  if (std::find(kNotWhole.begin(), kNotWhole.end(), error) != kNotWhole.end()) return false;
  return measured.error();
}

Result<bool> HasBootSet(const Sysroot& sysroot, const HashValue& digest) {
  return HasBootFile(sysroot, digest, {digest.Hex(), kSumsName});
}

Status CheckBootSet(const Sysroot& sysroot, const HashValue& digest) {
  const std::string path = SetPath(digest);
  const std::string doing = StrCat("checking the boot set ", digest.Hex().substr(0, 12));
  ASSIGN_OR_RETURN(const std::string sums,
                   ReadFile(sysroot.boot(), StrCat(path, "/", kSumsName), kMaxSumsBytes).While(doing));
  if (HashOf(AsBytes(sums)) != digest) {
    return Error(Errc::kCorrupt, StrCat(doing, ": its ", kSumsName, " has been changed"));
  }
  ASSIGN_OR_RETURN(const std::vector<BootSetFile> files, ParseBootSetSums(sums).While(doing));
  for (const BootSetFile& file : files) {
    const auto measured = MeasurePastCache(sysroot.boot(), StrCat(path, "/", file.name)).While(doing);
    if (!measured.ok() && (measured.error().sys_errno() == ENOENT || measured.error().sys_errno() == ENOTDIR)) {
      return Error(Errc::kCorrupt, StrCat(doing, ": ", Escape(file.name), " is missing"));
    }
    if (!measured.ok()) return measured.error();
    if (measured->sha256.Hex() != file.sha256) {
      return Error(Errc::kCorrupt, StrCat(doing, ": ", Escape(file.name), " has sha256 ", measured->sha256.Hex(),
                                          ", expected ", file.sha256));
    }
  }
  return Ok();
}

Result<std::vector<HashValue>> ListBootSets(const Sysroot& sysroot) {
  std::vector<HashValue> sets;
  if (!Exists(sysroot.boot(), kBootSetsDir)) return sets;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(sysroot.boot(), kBootSetsDir));
  for (const std::string& name : names) {
    if (const auto digest = ParseBootSetName(name)) sets.push_back(*digest);
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
  TRY(RemoveSummedFolder(sets.get(), digest.Hex(), ctx));
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
