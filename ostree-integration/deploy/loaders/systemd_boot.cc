// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/systemd_boot.h"

#include <algorithm>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
#include "ostree-integration/deploy/loaders/systemd_boot_plan.h"

namespace hostapp {
namespace {

constexpr const char* kEntriesDir = "loader/entries";
constexpr const char* kStagedDir = "hostapp/systemd-boot/entries";
constexpr const char* kGoodDir = "hostapp/systemd-boot/good";
constexpr std::string_view kSuffix = ".conf";
constexpr uint64_t kMaxFileBytes = uint64_t{64} << 10;
constexpr uint64_t kNoSequence = 0;  // of a staged text

std::string StagedName(uint64_t serial) { return StrCat(serial, kSuffix); }

bool IsMarked(int boot, uint64_t serial) { return Exists(boot, StrCat(kGoodDir, "/", serial)); }

// Empty where there is none that can be read.
std::string TextOf(int boot, const std::string& path) {
  const Result<std::string> text = ReadPastCache(boot, path, kMaxFileBytes);
  return text.ok() ? *text : std::string();
}

Status RemoveFiles(int boot, const char* folder, const std::vector<std::string>& names, OpContext& ctx) {
  if (names.empty()) return Ok();
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(boot, folder, ctx.sys));
  for (const std::string& name : names) TRY(RemoveFile(dir.get(), name, ctx.sys));
  TRY(SyncDir(dir.get(), ctx.sys));
  return CheckpointFilesystem(dir.get(), ctx.sys);
}

Result<std::vector<std::string>> NamesIn(int boot, const char* folder) {
  if (!Exists(boot, folder)) return std::vector<std::string>();
  return ListDir(boot, folder);
}

Result<std::vector<SystemdBootFile>> ReadEntries(int boot) {
  std::vector<SystemdBootFile> files;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(boot, kEntriesDir));
  for (const std::string& file : names) {
    const auto name = ParseSystemdBootName(file);
    if (!name) continue;
    const std::string text = TextOf(boot, StrCat(kEntriesDir, "/", file));
    // The name says the sequence, the text the sort-key: a text under another's name is not whole.
    const bool whole = IsWholeSystemdBootText(text) &&
                       text.find(StrCat("\nsort-key ", SystemdBootSortKey(name->sequence), "\n")) != std::string::npos;
    files.push_back(
        {.file = file, .name = *name, .text = text, .whole = whole, .marked = IsMarked(boot, name->serial)});
  }
  return files;
}

// What a cut left of entries that never got their name; systemd-boot ignores it.
Result<std::vector<std::string>> UnfinishedEntries(int boot) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, NamesIn(boot, kEntriesDir));
  std::erase_if(names, [](const std::string& name) {
    return !name.starts_with(".hostapp-") || !name.ends_with(StrCat(kSuffix, ".new"));
  });
  return names;
}

Status Follow(int boot, const std::vector<SystemdBootWanted>& wanted, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::vector<SystemdBootFile> files, ReadEntries(boot));
  ASSIGN_OR_RETURN(const SystemdBootPlan plan, PlanSystemdBoot(files, wanted));
  for (const auto& [file, text] : plan.added) {
    TRY(ReplaceBootFile(boot, kEntriesDir, file, text, ctx).While("adding an entry of systemd-boot"));
  }
  ASSIGN_OR_RETURN(std::vector<std::string> removed, UnfinishedEntries(boot));
  removed.insert(removed.end(), plan.removed.begin(), plan.removed.end());
  return RemoveFiles(boot, kEntriesDir, removed, ctx).While("removing old entries of systemd-boot");
}

Status MarkProven(int boot, const BootEntry& entry, OpContext& ctx) {
  if (!entry.proven || IsMarked(boot, entry.serial)) return Ok();
  return WriteBootFile(boot, kGoodDir, std::to_string(entry.serial), "good\n", ctx);
}

bool IsPlain(std::string_view argument) {
  return std::all_of(argument.begin(), argument.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

Status SystemdBootLoader::Check(const BootEntry& entry) const {
  TRY(CheckEntryArguments(entry));
  for (const std::string& argument : entry.arguments) {
    if (IsPlain(argument) && Trim(argument) == argument) continue;
    return Error(Errc::kInvalid, StrCat("kernel argument ", Escape(argument),
                                        ": systemd-boot passes on printable ASCII only, without spaces at the ends"));
  }
  return Ok();
}

Status SystemdBootLoader::Stage(const BootEntry& entry, OpContext& ctx) {
  const std::string text = SystemdBootText(entry, kNoSequence);
  const std::string name = StagedName(entry.serial);
  if (TextOf(boot_, StrCat(kStagedDir, "/", name)) != text) {
    return WriteBootFile(boot_, kStagedDir, name, text, ctx)
        .While("writing systemd-boot's entry for deployment ", entry.serial);
  }
  ASSIGN_OR_RETURN(const UniqueFd dir, OpenDir(boot_, kStagedDir, ctx.sys));
  return CheckpointFilesystem(dir.get(), ctx.sys);
}

Status SystemdBootLoader::Arm(const BootEntry& fallback, const BootEntry& trial, int tries, OpContext& ctx) {
  Status marked = MarkProven(boot_, fallback, ctx);
  TRY(Follow(boot_, {{.entry = trial, .tries = tries}, {.entry = fallback, .tries = {}}}, ctx));
  return marked;
}

Status SystemdBootLoader::Bless(const BootEntry& entry, OpContext& ctx) {
  Status marked = MarkProven(boot_, entry, ctx);
  TRY(Follow(boot_, {{.entry = entry, .tries = {}}}, ctx));
  return marked;
}

Status SystemdBootLoader::Mark(const BootEntry& entry, OpContext& ctx) { return MarkProven(boot_, entry, ctx); }

Result<LoaderState> SystemdBootLoader::Read() const {
  LoaderState state;
  ASSIGN_OR_RETURN(std::vector<SystemdBootFile> files, ReadEntries(boot_));
  files = InSystemdBootOrder(std::move(files));
  const auto counted = [](const SystemdBootFile& file) { return file.name.tries_left.has_value(); };
  const auto first = std::find_if_not(files.begin(), files.end(), counted);
  if (first != files.end()) state.default_serial = first->name.serial;
  // The trial is what was decided last, even when its tries are used up, which makes systemd-boot take it last.
  const auto newest = std::max_element(files.begin(), files.end(),
                                       [](const auto& a, const auto& b) { return a.name.sequence < b.name.sequence; });
  if (newest != files.end() && counted(*newest)) {
    state.trial = LoaderState::Trial{.serial = newest->name.serial, .tries_left = *newest->name.tries_left};
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> names, NamesIn(boot_, kStagedDir));
  for (const std::string& name : names) {
    const auto serial = ParseUint64(std::string_view(name).substr(0, name.find('.')));
    if (!serial || name != StagedName(*serial)) continue;
    if (!IsWholeSystemdBootText(TextOf(boot_, StrCat(kStagedDir, "/", name)))) continue;
    state.entries.push_back(*serial);
  }
  std::sort(state.entries.begin(), state.entries.end());
  std::copy_if(state.entries.begin(), state.entries.end(), std::back_inserter(state.proven),
               [&](uint64_t serial) { return IsMarked(boot_, serial); });
  return state;
}

Status SystemdBootLoader::Remove(uint64_t serial, OpContext& ctx) {
  ASSIGN_OR_RETURN(const std::vector<SystemdBootFile> files, ReadEntries(boot_));
  std::vector<std::string> ours;
  for (const SystemdBootFile& file : files) {
    if (file.name.serial == serial) ours.push_back(file.file);
  }
  // First what systemd-boot would find: its boot set goes next.
  TRY(RemoveFiles(boot_, kEntriesDir, ours, ctx));
  if (IsMarked(boot_, serial)) TRY(RemoveFiles(boot_, kGoodDir, {std::to_string(serial)}, ctx));
  if (!Exists(boot_, kStagedDir)) return Ok();
  return RemoveFiles(boot_, kStagedDir, {StagedName(serial)}, ctx);
}

}  // namespace hostapp
