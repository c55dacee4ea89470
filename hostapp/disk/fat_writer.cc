// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/fat_writer.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/gpt.h"

namespace hostapp {
namespace {

constexpr const char* kScratch = "fat-file";
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
    ASSIGN_OR_RETURN(const std::string program, FindProgram(name, "mtools"));
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

}  // namespace

Status WriteFat(const std::string& file, const FatOptions& options, const std::vector<FatFile>& files, int scratch,
                OpContext& ctx) {
  Mtools mtools(file, options, ctx);
  TRY(mtools.Run("mformat",
                 {"-F", "-T", StrCat(options.bytes / kSectorBytes), "-h", "255", "-s", "63", "-H",
                  StrCat(options.offset / kSectorBytes), "-N", Hex8(options.serial), "-v", options.label, "::"}));
  for (const std::string& folder : FoldersOf(files)) TRY(mtools.Run("mmd", {StrCat("::/", folder)}));
  for (const FatFile& made : files) {
    TRY(RemoveFile(scratch, kScratch, ctx.sys));
    TRY(ReplaceFile(scratch, kScratch, AsBytes(made.content), 0600, ctx.sys));
    TRY(mtools.Run("mcopy", {StrCat("/proc/", ::getpid(), "/fd/", scratch, "/", kScratch), StrCat("::/", made.path)}));
  }
  return RemoveFile(scratch, kScratch, ctx.sys);
}

std::string FatUuid(uint32_t serial) { return Hex8(serial).insert(4, "-"); }

}  // namespace hostapp
