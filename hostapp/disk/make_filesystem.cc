// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/make_filesystem.h"

#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "hostapp/disk/ext4_features.h"
#include "hostapp/disk/tree_size.h"

namespace hostapp {
namespace {

constexpr std::chrono::seconds kLongestMkfs = std::chrono::minutes(30);

struct Program {
  const char* name;
  const char* package;
};

Program ProgramOf(DiskFileSystem kind) {
  switch (kind) {
    case DiskFileSystem::kXfs:
      return {"mkfs.xfs", "xfsprogs"};
    case DiskFileSystem::kBtrfs:
      return {"mkfs.btrfs", "btrfs-progs"};
    case DiskFileSystem::kExt4:
      break;
  }
  return {"mke2fs", "e2fsprogs"};
}

std::vector<std::string> Arguments(DiskFileSystem kind, const std::string& uuid, const std::string& label) {
  switch (kind) {
    case DiskFileSystem::kXfs:
      return {"-q", "-f", "-m", StrCat("uuid=", uuid), "-L", label};
    case DiskFileSystem::kBtrfs:
      return {"-q", "-f", "-U", uuid, "-L", label};
    case DiskFileSystem::kExt4:
      break;
  }
  return {"-q", "-F", "-O", kExt4Features, "-b", "4096", "-I", "256",
          "-m", "1",  "-e", "remount-ro",  "-U", uuid,   "-L", label};
}

}  // namespace

uint64_t LeastBytes(DiskFileSystem kind) {
  switch (kind) {
    case DiskFileSystem::kXfs:
      return 300 * kMiB;  // mkfs.xfs's own rule
    case DiskFileSystem::kBtrfs:
      return 256 * kMiB;
    case DiskFileSystem::kExt4:
      break;
  }
  return 64 * kMiB;
}

Status CheckMakeFileSystem(DiskFileSystem kind) {
  const Program program = ProgramOf(kind);
  return FindProgram(program.name, program.package).status();
}

Status MakeFileSystem(DiskFileSystem kind, const std::string& device, const Uuid& uuid, const std::string& label,
                      OpContext& ctx) {
  const Program program = ProgramOf(kind);
  ASSIGN_OR_RETURN(const std::string path, FindProgram(program.name, program.package));
  std::vector<std::string> argv = {path};
  for (std::string& argument : Arguments(kind, uuid.ToString(), label)) argv.push_back(std::move(argument));
  argv.push_back(device);
  ASSIGN_OR_RETURN(const ProgramResult result,
                   RunProgram(argv, kLongestMkfs, ctx, {"MKE2FS_CONFIG=/dev/null", "LC_ALL=C"}));
  if (result.Succeeded()) return Ok();
  return Error(Errc::kIo, StrCat(program.name, ": ", result.Ending(), ": ", Escape(Trim(result.output))));
}

}  // namespace hostapp
