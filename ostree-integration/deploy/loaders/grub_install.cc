// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/grub_install.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "hostapp/base/durable.h"
#include "hostapp/base/run_program.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/grub_config.h"

namespace hostapp {
namespace {

constexpr std::string_view kProgram = "grub-mkimage";
constexpr std::string_view kProgramPackage = "grub-common";
constexpr std::chrono::seconds kTimeout{60};
constexpr size_t kSectorBytes = 512;
constexpr uint64_t kMaxImageBytes = uint64_t{1} << 20;
constexpr size_t kMaxUuidBytes = 36;

struct Platform {
  std::string name;  // as -O of grub-mkimage has it, and the folder of modules
  std::string_view package;
  std::string_view more_modules;
  std::string_view console;
};
// BIOS knows no serial consoles; UEFI has its own, and GRUB on the same port would say everything twice.
const Platform kBios = {"i386-pc", "grub-pc-bin", " biosdisk",
                        "serial --unit=0 --speed=115200\nterminal_output console serial\n"};
// Without its drivers for the screen the kernel would not know of one.
const Platform kEfi = {"x86_64-efi", "grub-efi-amd64-bin", " efi_gop efi_uga", ""};

// Both stand in a script without quotes.
bool IsPlain(std::string_view text, std::string_view more) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           more.find(c) != std::string_view::npos;
  });
}

Status CheckPlace(const GrubPlace& place) {
  if (place.uuid.empty() || place.uuid.size() > kMaxUuidBytes || !IsPlain(place.uuid, "-")) {
    return Error(Errc::kInvalid, StrCat("making GRUB's image: \"", Escape(place.uuid),
                                        "\" is not the UUID of a file system (letters, digits and -)"));
  }
  const bool is_top = place.top.empty() || (place.top.starts_with('/') && !place.top.ends_with('/'));
  if (is_top && place.top.size() <= kMaxGrubTopBytes && IsPlain(place.top, "/._-")) return Ok();
  return Error(Errc::kInvalid, StrCat("making GRUB's image: \"", Escape(place.top),
                                      "\" is neither empty nor an "
                                      "absolute path of at most 64 letters, digits and . _ -"));
}

// Read by GRUB's rescue parser, which knows no `if`: what follows `source` is for the case that it comes back.
std::string EarlyConfig(const Platform& platform, const GrubPlace& place) {
  return StrCat(platform.console, "search --no-floppy --fs-uuid --set=root ", place.uuid, "\nsource ($root)", place.top,
                "/hostapp/grub/grub.cfg\necho \"hostapp: no whole grub.cfg on the file system ", place.uuid,
                "; restarting in 30 seconds\"\nsleep 30\nreboot\n");
}

// A file in memory that a child opens by a path.
struct MemoryFile {
  UniqueFd fd;
  std::string Path() const { return StrCat("/proc/", ::getpid(), "/fd/", fd.get()); }
};

Result<MemoryFile> MakeMemoryFile(const char* name) {
  MemoryFile file{UniqueFd(::memfd_create(name, MFD_CLOEXEC))};
  if (!file.fd.valid()) return SysError(errno, StrCat("making the file ", name, " in memory"));
  return file;
}

Result<std::string> ContentOf(const MemoryFile& file) {
  return ReadFile(AT_FDCWD, file.Path(), kMaxImageBytes).While("reading what ", kProgram, " made");
}

Result<std::string> MakeImage(const Platform& platform, const GrubPlace& place, OpContext& ctx) {
  TRY(CheckPlace(place));
  ASSIGN_OR_RETURN(const std::string program, FindProgram(std::string(kProgram), kProgramPackage));
  const std::string modules = StrCat(place.modules, "/", platform.name);
  if (!Exists(AT_FDCWD, StrCat(modules, "/moddep.lst"))) {
    return Error(Errc::kNotFound, StrCat("making GRUB's image: no GRUB modules in ", Escape(modules),
                                         "; install the package ", platform.package));
  }
  ASSIGN_OR_RETURN(const MemoryFile config, MakeMemoryFile("grub-early-config"));
  ASSIGN_OR_RETURN(const MemoryFile image, MakeMemoryFile("grub-image"));
  TRY(WriteAll(config.fd.get(), AsBytes(EarlyConfig(platform, place)), ctx.sys));
  std::vector<std::string> argv = {
      program, "-O",          platform.name, "-d",        modules, "-p", StrCat(place.top, "/hostapp/grub"),
      "-c",    config.Path(), "-o",          image.Path()};
  const std::string all_modules = StrCat(GrubModules(), platform.more_modules);
  for (const std::string_view module : Split(all_modules, ' ')) argv.emplace_back(module);
  ASSIGN_OR_RETURN(const ProgramResult done, RunProgram(argv, kTimeout, ctx));
  if (done.Succeeded()) return ContentOf(image);
  return Error(Errc::kIo, StrCat("making GRUB's image for ", platform.name, ": ", kProgram, ": ", done.Ending(), ": ",
                                 Escape(Trim(done.output))));
}

void PutLittleEndian(std::string& bytes, size_t offset, uint64_t value, size_t size) {
  for (size_t i = 0; i < size; i++) bytes[offset + i] = static_cast<char>(value >> (8 * i));
}

// boot.img loads one sector, the core image's first, from wherever the firmware found boot.img itself.
std::string BootCode(std::string boot, uint64_t sector) {
  constexpr size_t kKernelSector = 0x5c, kBootDrive = 0x64, kDriveCheck = 0x66;
  PutLittleEndian(boot, kKernelSector, sector, 8);
  boot[kBootDrive] = '\xff';  // the drive that the firmware says
  // A jump over the repair of a drive number that some firmware leaves wrong: let it run, as grub-setup does.
  PutLittleEndian(boot, kDriveCheck, 0x9090, 2);
  boot.resize(kGrubBootCodeBytes);
  return boot;
}

// The first sector (diskboot.img) loads the others by the list in its last bytes: sector, count, segment.
Result<std::string> PatchedCore(std::string core, uint64_t sector) {
  constexpr size_t kBlockList = kSectorBytes - 12;
  constexpr uint64_t kSegment = 0x820;
  core.resize((core.size() + kSectorBytes - 1) / kSectorBytes * kSectorBytes, '\0');
  if (core.size() < 2 * kSectorBytes) return Error(Errc::kIo, StrCat(kProgram, " made no core image"));
  PutLittleEndian(core, kBlockList, sector + 1, 8);
  PutLittleEndian(core, kBlockList + 8, core.size() / kSectorBytes - 1, 2);
  PutLittleEndian(core, kBlockList + 10, kSegment, 2);
  return core;
}

}  // namespace

Result<GrubBios> MakeGrubBios(const GrubPlace& place, uint64_t sector, OpContext& ctx) {
  if (sector == 0) return Error(Errc::kInvalid, "making GRUB's image: sector 0 holds the boot code, not a partition");
  ASSIGN_OR_RETURN(std::string image, MakeImage(kBios, place, ctx));
  const std::string boot_path = StrCat(place.modules, "/", kBios.name, "/boot.img");
  ASSIGN_OR_RETURN(std::string boot, ReadFile(AT_FDCWD, boot_path, kSectorBytes));
  if (boot.size() != kSectorBytes) {
    return Error(Errc::kCorrupt, StrCat(Escape(boot_path), ": ", boot.size(), " bytes, expected ", kSectorBytes,
                                        "; install the package ", kBios.package, " again"));
  }
  ASSIGN_OR_RETURN(std::string core, PatchedCore(std::move(image), sector));
  return GrubBios{.boot_code = BootCode(std::move(boot), sector), .core = std::move(core)};
}

Result<std::string> MakeGrubEfi(const GrubPlace& place, OpContext& ctx) { return MakeImage(kEfi, place, ctx); }

}  // namespace hostapp
