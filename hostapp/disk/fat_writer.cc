// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/fat_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <set>
#include <span>

#include "hostapp/base/durable.h"
#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/gpt.h"

namespace hostapp {
namespace {

constexpr const char* kPackage = "mtools";
constexpr const char* kScratch = "fat-file";
constexpr uint64_t kLeastFatBytes = 64 * kMiB;
constexpr uint64_t kFatMargin = 8 * kMiB;
constexpr std::chrono::seconds kLongest = std::chrono::minutes(5);
constexpr int64_t kFatEpoch = 315532800;  // 1980: FAT knows nothing before

std::string Hex8(uint32_t value) {
  char text[9];
  (void)std::snprintf(text, sizeof text, "%08X", value);
  return text;
}

class Mtools {
 public:
  Mtools(const std::string& file, const FatOptions& options, OpContext& ctx)
      : image_(StrCat(file, "@@", options.offset)),
        environment_({"MTOOLSRC=/dev/null", "MTOOLS_SKIP_CHECK=1", "LC_ALL=C", "TZ=UTC0",
                      StrCat("SOURCE_DATE_EPOCH=", std::max(kFatEpoch, options.time))}),
        ctx_(ctx) {}

  Status Run(const char* name, const std::vector<std::string>& arguments) {
    ASSIGN_OR_RETURN(const std::string program, FindProgram(name, kPackage));
    std::vector<std::string> argv = {program, "-i", image_};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    ASSIGN_OR_RETURN(const ProgramResult result, RunProgram(argv, kLongest, ctx_, environment_));
    if (result.Succeeded()) return Ok();
    return Error(Errc::kIo, StrCat(name, ": ", result.Ending(), ": ", Escape(Trim(result.output))));
  }

 private:
  std::string image_;
  std::vector<std::string> environment_;
  OpContext& ctx_;
};

Status Format(Mtools& mtools, const FatOptions& options) {
  return mtools.Run("mformat",
                    {"-F", "-T", StrCat(options.bytes / kSectorBytes), "-h", "255", "-s", "63", "-H",
                     StrCat(options.offset / kSectorBytes), "-N", Hex8(options.serial), "-v", options.label, "::"});
}

// An open folder's path for a program that we start.
std::string PathOfOpen(int dir) { return StrCat("/proc/", ::getpid(), "/fd/", dir); }

// Every folder above one of the files, parents first.
std::set<std::string> FoldersOf(const std::vector<FatFile>& files) {
  std::set<std::string> folders;
  for (const FatFile& file : files) {
    for (size_t slash = file.path.find('/'); slash != std::string::npos; slash = file.path.find('/', slash + 1)) {
      folders.insert(file.path.substr(0, slash));
    }
  }
  return folders;
}

// A name that every FAT driver takes as it is.
Status CheckFatName(const std::string& name, std::set<std::string>& taken) {
  constexpr size_t kLongestName = 255;
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return c >= ' ' && c <= '~' && std::string_view("\"*/:<>?\\|").find(c) == std::string_view::npos;
  });
  if (!plain || name.size() > kLongestName || name.back() == '.' || name.back() == ' ' || name.front() == ' ') {
    return Error(Errc::kInvalid, StrCat("the name ", Escape(name), " cannot be on a FAT boot file system"));
  }
  if (taken.insert(ToLower(name)).second) return Ok();
  return Error(Errc::kInvalid, StrCat("the name ", Escape(name),
                                      " differs from another one there by its case only, which a FAT boot file system "
                                      "takes for the same"));
}

struct FatFolder {
  std::vector<std::string> folders;
  std::vector<std::string> files;
};

Result<FatFolder> ListFatFolder(int dir) {
  FatFolder found;
  std::set<std::string> taken;
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDir(dir, "."));
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    TRY(CheckFatName(name, taken));
    struct stat info {};
    if (::fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) return SysError(errno, Escape(name));
    if (!S_ISDIR(info.st_mode) && !S_ISREG(info.st_mode)) {
      return Error(Errc::kCorrupt,
                   StrCat(Escape(name), " is no file and no folder: it cannot be on a FAT boot file system"));
    }
    (S_ISDIR(info.st_mode) ? found.folders : found.files).push_back(name);
  }
  return found;
}

// One program a folder for all its files: a board's device trees are many.
Status CopyFolder(Mtools& mtools, int dir, const std::string& to) {
  ASSIGN_OR_RETURN(const FatFolder found, ListFatFolder(dir));
  std::vector<std::string> arguments;
  for (const std::string& name : found.files) arguments.push_back(StrCat(PathOfOpen(dir), "/", name));
  arguments.push_back(StrCat(to, "/"));
  if (!found.files.empty()) TRY(mtools.Run("mcopy", arguments));
  for (const std::string& name : found.folders) {
    const std::string path = StrCat(to, "/", name);
    TRY(mtools.Run("mmd", {path}));
    const UniqueFd child(::openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!child.valid()) return SysError(errno, StrCat("opening the folder ", Escape(name)));
    TRY(CopyFolder(mtools, child.get(), path).While(Escape(name)));
  }
  return Ok();
}

}  // namespace

Status WriteFat(const std::string& file, const FatOptions& options, const std::vector<FatFile>& files, int scratch,
                OpContext& ctx) {
  Mtools mtools(file, options, ctx);
  TRY(Format(mtools, options));
  for (const std::string& folder : FoldersOf(files)) TRY(mtools.Run("mmd", {StrCat("::/", folder)}));
  for (const FatFile& made : files) {
    TRY(RemoveFile(scratch, kScratch, ctx.sys));
    TRY(ReplaceFile(scratch, kScratch, AsBytes(made.content), 0600, ctx.sys));
    TRY(mtools.Run("mcopy", {StrCat(PathOfOpen(scratch), "/", kScratch), StrCat("::/", made.path)}));
  }
  return RemoveFile(scratch, kScratch, ctx.sys);
}

Status WriteFatTree(const std::string& file, const FatOptions& options, int tree, OpContext& ctx) {
  Mtools mtools(file, options, ctx);
  TRY(Format(mtools, options));
  return CopyFolder(mtools, tree, "::");
}

Status CheckFatPrograms() {
  for (const char* program : {"mformat", "mmd", "mcopy"}) TRY(FindProgram(program, kPackage).status());
  return Ok();
}

uint64_t FatBytes(const TreeSize& tree, uint64_t copies) {
  // A block more for each name; a 64th for the tables, of which sectors of 512 bytes as clusters need most.
  const uint64_t content = copies * (tree.blocks + tree.inodes) * kExt4BlockBytes;
  const uint64_t bytes = content + content / 32 + kFatMargin;
  return std::max(kLeastFatBytes, (bytes + kMiB - 1) / kMiB * kMiB);
}

uint32_t FatSerial(const Uuid& uuid) {
  uint32_t serial = 0;
  for (const std::byte byte : std::span(uuid.bytes).first(4)) serial = serial << 8 | static_cast<uint32_t>(byte);
  return serial;
}

std::string FatUuid(uint32_t serial) { return Hex8(serial).insert(4, "-"); }

}  // namespace hostapp
