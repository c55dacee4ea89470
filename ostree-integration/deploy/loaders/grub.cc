// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/grub.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
#include "ostree-integration/deploy/loaders/grub_config.h"
#include "ostree-integration/deploy/loaders/grub_env.h"

namespace hostapp {
namespace {

constexpr const char* kGrubDir = "hostapp/grub";
constexpr const char* kEntriesDir = "hostapp/grub/entries";
constexpr const char* kEnvName = "env";
constexpr const char* kConfigName = "entry.cfg";
constexpr const char* kGoodName = "good";
constexpr std::string_view kSetBootSet = "set boot_set=";
// GRUB puts the kernel's path in front of the arguments, and cuts off without a word what is more than the kernel
// takes.
constexpr size_t kLinuxPathBytes = std::string_view("BOOT_IMAGE=/hostapp//linux").size() + kMaxGrubTopBytes + 64;
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 10;

std::string EntryPath(uint64_t serial) { return StrCat(kEntriesDir, "/", GrubEntryName(serial)); }

// As GRUB puts it together: with quotes around an argument that has a space in it.
size_t CommandLineBytes(const BootEntry& entry) {
  size_t bytes = kLinuxPathBytes;
  for (const std::string& argument : EntryArguments(entry)) {
    const std::string plain = Unquoted(argument).value_or(argument);
    bytes += 1 + plain.size() + (plain.find(' ') == std::string::npos ? 0 : 2);
  }
  return bytes;
}

// The function is what grub.cfg calls when the checksums are right. Between single quotes GRUB reads nothing but text.
std::string EntryConfig(const BootEntry& entry) {
  std::string arguments;
  for (const std::string& argument : EntryArguments(entry)) {
    arguments += StrCat(" '", Unquoted(argument).value_or(argument), "'");
  }
  return StrCat(kSetBootSet, entry.boot_set.Hex(), "\nfunction start_kernel {\n  linux \"$top/hostapp/",
                entry.boot_set.Hex(), "/linux\"", arguments, "\n}\n");
}

// Names are relative to hostapp/. The second line ties the boot set to the entry: its digest is that of its SHA256SUMS.
std::string Sums(std::string_view name, std::string_view config, std::string_view boot_set) {
  return StrCat(HashOf(AsBytes(config)).Hex(), "  grub/entries/", name, "/", kConfigName, "\n", boot_set, "  ",
                boot_set, "/", kSumsName, "\n");
}

bool IsWhole(int boot, uint64_t serial) {
  const auto config = ReadPastCache(boot, StrCat(EntryPath(serial), "/", kConfigName), kMaxFileBytes);
  const auto sums = ReadPastCache(boot, StrCat(EntryPath(serial), "/", kSumsName), kMaxFileBytes);
  if (!config.ok() || !sums.ok() || !config->starts_with(kSetBootSet)) return false;
  const std::string_view boot_set =
      std::string_view(*config).substr(kSetBootSet.size(), HashSize(HashAlgorithm::kSha256) * 2);
  return *sums == Sums(GrubEntryName(serial), *config, boot_set);
}

bool IsMarked(int boot, uint64_t serial) { return Exists(boot, StrCat(EntryPath(serial), "/", kGoodName)); }

// The list last: without it, this is no entry.
Status WriteEntry(int dir, const BootEntry& entry, OpContext& ctx) {
  const std::string config = EntryConfig(entry);
  TRY(WriteUnderItsName(dir, kConfigName, AsBytes(config), 0644, ctx.sys));
  return WriteUnderItsName(dir, kSumsName, AsBytes(Sums(GrubEntryName(entry.serial), config, entry.boot_set.Hex())),
                           0644, ctx.sys);
}

// The file exists since the loader was installed; one that is lost is made again. GRUB takes a whole block or none.
Status WriteEnv(int boot, const GrubEnv& env, OpContext& ctx) {
  const std::string block = EncodeGrubEnv(env);
  const auto old = ReadPastCache(boot, StrCat(kGrubDir, "/", kEnvName), kMaxFileBytes);
  if (old.ok() && *old == block) return Ok();
  ASSIGN_OR_RETURN(const UniqueFd dir, MakeBootDirs(boot, kGrubDir, ctx));
  if (old.ok() && old->size() == block.size()) {
    const UniqueFd file(ctx.sys.OpenAt(dir.get(), kEnvName, O_WRONLY | O_NOFOLLOW, 0));
    if (!file.valid()) return SysError(-file.get(), "opening GRUB's environment block");
    return OverwriteInPlace(file.get(), 0, AsBytes(block), ctx.sys).While("writing GRUB's environment block");
  }
  TRY(WriteUnderItsName(dir.get(), kEnvName, AsBytes(block), 0644, ctx.sys).While("making GRUB's environment block"));
  return CheckpointFilesystem(dir.get(), ctx.sys);
}

Status MarkProven(int boot, const BootEntry& entry, OpContext& ctx) {
  if (!entry.proven || IsMarked(boot, entry.serial)) return Ok();
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(boot, EntryPath(entry.serial), ctx.sys));
  TRY(WriteUnderItsName(dir.get(), kGoodName, AsBytes("good\n"), 0644, ctx.sys));
  return CheckpointFilesystem(dir.get(), ctx.sys);
}

}  // namespace

Status GrubLoader::Check(const BootEntry& entry) const {
  if (const size_t bytes = CommandLineBytes(entry); bytes > kMaxCommandLineBytes) {
    return Error(Errc::kInvalid, StrCat("the kernel arguments have, with the kernel's path that GRUB adds, ", bytes,
                                        " bytes, more than the ", kMaxCommandLineBytes, " that a kernel takes"));
  }
  for (const std::string& argument : entry.arguments) {
    const auto plain = Unquoted(argument);
    // GRUB writes a backslash before each of these, which the kernel then takes for part of the argument, and puts
    // quotes around spaces only.
    if (plain && plain->find_first_of("'\"\\\t\n\v\f\r") == std::string::npos) continue;
    return Error(Errc::kInvalid,
                 StrCat("kernel argument ", Escape(argument),
                        ": GRUB cannot pass on quotes inside of a value, nor ' or \\ or white space but spaces"));
  }
  return Ok();
}

Status GrubLoader::Stage(const BootEntry& entry, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd entries, MakeBootDirs(boot_, kEntriesDir, ctx));
  if (!IsWhole(boot_, entry.serial)) {
    TRY(RemoveSummedFolder(entries.get(), GrubEntryName(entry.serial), ctx));
    ASSIGN_OR_RETURN(const UniqueFd dir, MakeBootDirs(boot_, EntryPath(entry.serial), ctx));
    TRY(WriteEntry(dir.get(), entry, ctx).While("writing GRUB's entry for deployment ", entry.serial));
  }
  TRY(CheckpointFilesystem(entries.get(), ctx.sys));
  if (IsWhole(boot_, entry.serial)) return Ok();
  return Error(Errc::kIo,
               StrCat("GRUB's entry for deployment ", entry.serial, " is not on the disk as it was written"));
}

Status GrubLoader::Arm(const BootEntry& fallback, const BootEntry& trial, int tries, OpContext& ctx) {
  Status marked = MarkProven(boot_, fallback, ctx);
  TRY(WriteEnv(boot_, {.default_serial = fallback.serial, .trial = trial.serial, .tries = tries}, ctx));
  return marked;
}

Status GrubLoader::Bless(const BootEntry& entry, OpContext& ctx) {
  Status marked = MarkProven(boot_, entry, ctx);
  TRY(WriteEnv(boot_, {.default_serial = entry.serial}, ctx));
  return marked;
}

Status GrubLoader::Mark(const BootEntry& entry, OpContext& ctx) { return MarkProven(boot_, entry, ctx); }

Result<LoaderState> GrubLoader::Read() const {
  LoaderState state;
  if (const auto block = ReadFile(boot_, StrCat(kGrubDir, "/", kEnvName), kMaxFileBytes); block.ok()) {
    const GrubEnv env = ParseGrubEnv(*block);
    state.default_serial = env.default_serial;
    if (env.trial != 0) state.trial = LoaderState::Trial{.serial = env.trial, .tries_left = env.tries};
  }
  if (!Exists(boot_, kEntriesDir)) return state;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(boot_, kEntriesDir));
  for (const std::string& name : names) {
    const auto serial = ParseGrubEntryName(name);
    if (!serial || !IsWhole(boot_, *serial)) continue;
    state.entries.push_back(*serial);
    if (IsMarked(boot_, *serial)) state.proven.push_back(*serial);
  }
  return state;
}

Status GrubLoader::Remove(uint64_t serial, OpContext& ctx) {
  if (!Exists(boot_, kEntriesDir)) return Ok();
  ASSIGN_OR_RETURN(const UniqueFd entries, OpenDir(boot_, kEntriesDir, ctx.sys));
  if (!Exists(entries.get(), GrubEntryName(serial))) return Ok();
  TRY(RemoveSummedFolder(entries.get(), GrubEntryName(serial), ctx));
  // GRUB must not find an entry whose boot set goes next.
  return CheckpointFilesystem(entries.get(), ctx.sys);
}

}  // namespace hostapp
