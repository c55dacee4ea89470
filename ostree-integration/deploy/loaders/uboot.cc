// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/uboot.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
#include "ostree-integration/deploy/loaders/crc32.h"
#include "ostree-integration/deploy/loaders/uboot_env.h"

namespace hostapp {
namespace {

constexpr const char* kDir = "hostapp/uboot";
constexpr const char* kEntries = "entries";
constexpr const char* kEntriesDir = "hostapp/uboot/entries";
constexpr const char* kProvenName = "proven";
constexpr std::array kStateNames = {"state-0", "state-1"};  // as they are read; written the other way round
constexpr std::string_view kSuffix = ".env";
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 10;

std::string EntryName(uint64_t serial) { return StrCat(serial, kSuffix); }

// Empty when it cannot be read.
std::string ReadOurs(int boot, std::string_view name) {
  const auto bytes = ReadPastCache(boot, StrCat(kDir, "/", name), kMaxFileBytes);
  return bytes.ok() ? *bytes : std::string();
}

std::string ReadEntry(int boot, const std::string& name) { return ReadOurs(boot, StrCat(kEntries, "/", name)); }

// One that is missing, or of another size, is made again: its CRC-32 says when it is whole.
Status WriteBlock(int boot, const char* name, const std::string& block, OpContext& ctx) {
  const std::string old = ReadOurs(boot, name);
  if (old == block) return Ok();
  if (old.size() == block.size()) {
    const UniqueFd file(ctx.sys.OpenAt(boot, StrCat(kDir, "/", name).c_str(), O_WRONLY | O_NOFOLLOW, 0));
    if (!file.valid()) return SysError(-file.get(), StrCat("opening ", name));
    return OverwriteInPlace(file.get(), 0, AsBytes(block), ctx.sys).While("writing U-Boot's ", name);
  }
  return WriteBootFile(boot, kDir, name, block, ctx).While("making U-Boot's ", name);
}

Status WriteState(int boot, const UbootState& state, OpContext& ctx) {
  const std::string block = EncodeUbootState(state);
  for (auto name = kStateNames.rbegin(); name != kStateNames.rend(); ++name) TRY(WriteBlock(boot, *name, block, ctx));
  return Ok();
}

bool Has(const std::vector<uint64_t>& serials, uint64_t serial) {
  return std::find(serials.begin(), serials.end(), serial) != serials.end();
}

Status MarkProven(int boot, const BootEntry& entry, OpContext& ctx) {
  std::vector<uint64_t> proven = ParseUbootProven(ReadOurs(boot, kProvenName));
  if (!entry.proven || Has(proven, entry.serial)) return Ok();
  proven.push_back(entry.serial);
  return WriteBlock(boot, kProvenName, EncodeUbootProven(proven), ctx);
}

// The CRC-32 of a file of a boot set, and that it has the SHA-256 that the set's SHA256SUMS say: a damaged file's
// CRC-32 would make the damage right.
Result<UbootFile> Measure(int set, const char* name, std::string_view sums) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenRegular(set, name));
  ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);  // as the disk has it
  UbootFile file;
  Hasher hasher;
  std::vector<char> buffer(size_t{1} << 16);
  for (;;) {
    const ssize_t got = ::read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return SysError(errno, StrCat("reading ", name));
    if (got == 0) break;
    const ByteSpan bytes = AsBytes({buffer.data(), static_cast<size_t>(got)});
    hasher.Update(bytes);
    file.crc32 = Crc32(bytes, file.crc32);
    file.size += bytes.size();
  }
  const std::string line = StrCat(hasher.Finish().Hex(), "  ", name);
  for (const std::string_view sum : Split(sums, '\n')) {
    if (sum == line) return file;
  }
  return Error(Errc::kCorrupt, StrCat(name, " is not what its boot set's SHA256SUMS say"));
}

Result<UbootEntry> MeasureEntry(int boot, const BootEntry& entry, OpContext& ctx) {
  const std::string digest = entry.boot_set.Hex();
  ASSIGN_OR_RETURN(const UniqueFd set, OpenDir(boot, StrCat("hostapp/", digest), ctx.sys));
  ASSIGN_OR_RETURN(const std::string sums, ReadFile(set.get(), "SHA256SUMS", kMaxFileBytes));
  if (HashOf(AsBytes(sums)) != entry.boot_set) {
    return Error(Errc::kCorrupt, StrCat("the SHA256SUMS of boot set ", digest, " do not have that digest"));
  }
  ASSIGN_OR_RETURN(const UbootFile kernel, Measure(set.get(), "linux", sums));
  ASSIGN_OR_RETURN(const UbootFile initrd, Measure(set.get(), "initrd", sums));
  return UbootEntry{.serial = entry.serial,
                    .boot_set = digest,
                    .kernel = kernel,
                    .initrd = initrd,
                    .arguments = Join(EntryArguments(entry), " ")};
}

// What `entry` needs is there, but for the CRC-32s, which are what they were when it was staged.
bool IsStaged(int boot, const BootEntry& entry) {
  const auto staged = ParseUbootEntry(ReadEntry(boot, EntryName(entry.serial)));
  return staged && staged->serial == entry.serial && staged->boot_set == entry.boot_set.Hex() &&
         staged->arguments == Join(EntryArguments(entry), " ");
}

bool IsCarried(std::string_view argument) {
  return std::none_of(argument.begin(), argument.end(),
                      [](char c) { return (c >= 0 && c < ' ') || c == '\x7f' || c == '\\' || c == '$'; });
}

}  // namespace

Status UbootLoader::Check(const BootEntry& entry) const {
  TRY(CheckEntryArguments(entry));
  for (const std::string& argument : entry.arguments) {
    if (IsCarried(argument)) continue;
    return Error(Errc::kInvalid, StrCat("kernel argument ", Escape(argument),
                                        ": U-Boot's environment loses a backslash, and some builds replace what "
                                        "follows a $; it can carry neither, nor control characters"));
  }
  return Ok();
}

Status UbootLoader::Stage(const BootEntry& entry, OpContext& ctx) {
  if (!IsStaged(boot_, entry)) {
    ASSIGN_OR_RETURN(const UbootEntry measured,
                     MeasureEntry(boot_, entry, ctx).While("reading the boot set of deployment ", entry.serial));
    TRY(WriteBootFile(boot_, kEntriesDir, EntryName(entry.serial), EncodeUbootEntry(measured), ctx)
            .While("writing U-Boot's entry for deployment ", entry.serial));
  } else {
    ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(boot_, kEntriesDir, ctx.sys));
    TRY(CheckpointFilesystem(dir.get(), ctx.sys));
  }
  if (IsStaged(boot_, entry)) return Ok();
  return Error(Errc::kIo,
               StrCat("U-Boot's entry for deployment ", entry.serial, " is not on the disk as it was written"));
}

Status UbootLoader::Arm(const BootEntry& fallback, const BootEntry& trial, int tries, OpContext& ctx) {
  Status marked = MarkProven(boot_, fallback, ctx);
  TRY(WriteState(boot_, {.default_serial = fallback.serial, .trial = trial.serial, .tries = tries}, ctx));
  return marked;
}

Status UbootLoader::Bless(const BootEntry& entry, OpContext& ctx) {
  Status marked = MarkProven(boot_, entry, ctx);
  TRY(WriteState(boot_, {.default_serial = entry.serial}, ctx));
  return marked;
}

Status UbootLoader::Mark(const BootEntry& entry, OpContext& ctx) { return MarkProven(boot_, entry, ctx); }

Result<LoaderState> UbootLoader::Read() const {
  LoaderState state;
  std::optional<UbootState> first;
  for (const char* name : kStateNames) {
    const auto copy = ParseUbootState(ReadOurs(boot_, name));
    if (!copy) state.damaged = name;
    if (!first) first = copy;
  }
  if (!first) state.damaged.clear();  // no copy counts: there is nothing yet, or all is lost
  const UbootState stored = first.value_or(UbootState{});
  state.default_serial = stored.default_serial;
  if (stored.trial != 0) state.trial = LoaderState::Trial{.serial = stored.trial, .tries_left = stored.tries};
  if (!Exists(boot_, kEntriesDir)) return state;
  const std::vector<uint64_t> proven = ParseUbootProven(ReadOurs(boot_, kProvenName));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDir(boot_, kEntriesDir));
  for (const std::string& name : names) {
    const auto entry = ParseUbootEntry(ReadEntry(boot_, name));
    if (!entry || name != EntryName(entry->serial)) continue;
    state.entries.push_back(entry->serial);
    if (Has(proven, entry->serial)) state.proven.push_back(entry->serial);
  }
  std::sort(state.entries.begin(), state.entries.end());
  std::sort(state.proven.begin(), state.proven.end());
  return state;
}

Status UbootLoader::Remove(uint64_t serial, OpContext& ctx) {
  std::vector<uint64_t> proven = ParseUbootProven(ReadOurs(boot_, kProvenName));
  if (std::erase(proven, serial) > 0) TRY(WriteBlock(boot_, kProvenName, EncodeUbootProven(proven), ctx));
  if (!Exists(boot_, kEntriesDir)) return Ok();
  ASSIGN_OR_RETURN(const UniqueFd entries, OpenDir(boot_, kEntriesDir, ctx.sys));
  if (!Exists(entries.get(), EntryName(serial))) return Ok();
  TRY(RemoveFile(entries.get(), EntryName(serial), ctx.sys));
  TRY(SyncDir(entries.get(), ctx.sys));
  return CheckpointFilesystem(entries.get(), ctx.sys);
}

}  // namespace hostapp
