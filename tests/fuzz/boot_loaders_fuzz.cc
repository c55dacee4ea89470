// SPDX-License-Identifier: Apache-2.0
// What boot loaders and firmware leave on a disk and in their variables: GRUB's environment, U-Boot's blocks, the names
// and texts of systemd-boot's entries with their counters, boot options of UEFI. Checksums are made right here.
#include <algorithm>
#include <string>

#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/crc32.h"
#include "ostree-integration/deploy/loaders/efi_boot_options.h"
#include "ostree-integration/deploy/loaders/grub_env.h"
#include "ostree-integration/deploy/loaders/systemd_boot_entry.h"
#include "ostree-integration/deploy/loaders/systemd_boot_plan.h"
#include "ostree-integration/deploy/loaders/uboot_env.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;

constexpr std::string_view kGrubHeader = "# GRUB Environment Block\n";

void CheckGrubBlock(std::string_view block) {
  const GrubEnv env = ParseGrubEnv(block);
  Require(env.tries >= 0 && env.tries <= 99 && (env.trial != 0 || env.tries == 0));
  Require(ParseGrubEnv(EncodeGrubEnv(env)) == env);
}

void CheckGrubEnv(std::string_view text) {
  CheckGrubBlock(text);
  std::string block = StrCat(kGrubHeader, text);
  block.resize(kGrubEnvBytes, '#');
  CheckGrubBlock(block);
  const auto serial = ParseGrubEntryName(text);
  if (serial) Require(GrubEntryName(*serial) == text);
}

std::string WithCrc(std::string_view data, size_t size) {
  std::string bytes(data.substr(0, size - 4));
  bytes.resize(size - 4, '\0');
  const uint32_t crc = Crc32(AsBytes(bytes));
  std::string block;
  for (const int shift : {0, 8, 16, 24}) block += static_cast<char>(crc >> shift & 0xff);
  return block + bytes;
}

void CheckUbootState(std::string_view text) {
  for (const std::string& block : {std::string(text), WithCrc(text, kUbootStateBytes)}) {
    const auto state = ParseUbootState(block);
    if (!state) continue;
    Require(state->tries >= 0 && state->tries <= 9);
    Require(ParseUbootState(EncodeUbootState(*state)) == *state);
  }
}

void CheckUbootProven(std::string_view text) {
  for (const std::string& block : {std::string(text), WithCrc(text, kUbootProvenBytes)}) {
    std::vector<uint64_t> serials = ParseUbootProven(block);
    for (const uint64_t serial : serials) Require(serial != 0);
    const std::vector<uint64_t> again = ParseUbootProven(EncodeUbootProven(serials));
    std::sort(serials.rbegin(), serials.rend());
    serials.resize(std::min(serials.size(), kMaxUbootProven));
    Require(again == serials);
  }
}

void CheckUbootEntry(std::string_view text) {
  for (const std::string& block : {std::string(text), WithCrc(text, kUbootEntryBytes)}) {
    const auto entry = ParseUbootEntry(block);
    // The encoder's own are never empty, and have room.
    if (!entry || entry->boot_set.empty() || entry->arguments.empty()) continue;
    if (entry->boot_set.size() + entry->arguments.size() > kUbootEntryBytes / 2) continue;
    Require(ParseUbootEntry(EncodeUbootEntry(*entry)) == *entry);
  }
}

void CheckSystemdBootName(std::string_view text) {
  const auto name = ParseSystemdBootName(text);
  if (!name) return;
  Require(name->serial != 0 && name->sequence <= kMaxSystemdBootSequence);
  Require(name->tries_left.value_or(0) >= 0 && (name->tries_left || name->tries_done == 0));
  const std::string plain = EncodeSystemdBootName(*name);
  Require(ParseSystemdBootName(plain) == *name && plain.find('/') == plain.npos);
}

int Order(bool before, bool after) { return before ? -1 : after ? 1 : 0; }

// An order: of any three, and the same from either side.
void CheckVersions(std::string_view text) {
  const std::vector<std::string_view> parts = Split(text, '\n');
  if (parts.size() < 3) return;
  const std::string_view a = parts[0], b = parts[1], c = parts[2];
  const int ab = CompareBootVersions(a, b), bc = CompareBootVersions(b, c), ac = CompareBootVersions(a, c);
  Require(CompareBootVersions(a, a) == 0 && CompareBootVersions(b, a) == -ab);
  if (ab <= 0 && bc <= 0) Require(ac <= 0);
  if (ab == 0) Require(bc == ac);
}

BootEntry EntryFor(uint64_t serial) {
  return {.serial = serial, .boot_set = HashOf(AsBytes("set")), .arguments = {"quiet"}, .version = "1", .proven = true};
}

// Files with these names, in the folder of entries: the plan keeps what it promises, and doing it again does nothing.
void CheckSystemdBootFolder(std::string_view text) {
  std::vector<SystemdBootFile> files;
  for (const std::string_view line : Split(text, '\n')) {
    const auto name = ParseSystemdBootName(line);
    const bool there = std::any_of(files.begin(), files.end(), [&](const auto& file) { return file.file == line; });
    if (!name || there || files.size() == 8) continue;
    const std::string content = SystemdBootText(EntryFor(name->serial), name->sequence);
    Require(IsWholeSystemdBootText(content));
    files.push_back(
        {.file = std::string(line), .name = *name, .text = content, .whole = true, .marked = name->serial % 2 == 1});
  }
  const auto sorted = InSystemdBootOrder(files);
  Require(sorted.size() == files.size());
  const std::vector<SystemdBootWanted> wanted = {{.entry = EntryFor(7), .tries = 3},
                                                 {.entry = EntryFor(3), .tries = {}}};
  const auto plan = PlanSystemdBoot(files, wanted);
  if (!plan.ok()) {
    Require(plan.error().code() == Errc::kCorrupt);
    return;
  }
  std::erase_if(files, [&](const SystemdBootFile& file) {
    return std::find(plan->removed.begin(), plan->removed.end(), file.file) != plan->removed.end();
  });
  for (const auto& [file, content] : plan->added) {
    const auto name = ParseSystemdBootName(file);
    Require(name.has_value() && IsWholeSystemdBootText(content));
    files.push_back({.file = file, .name = *name, .text = content, .whole = true, .marked = name->serial % 2 == 1});
  }
  const auto again = PlanSystemdBoot(files, wanted);
  Require(again.ok() && again->added.empty());
  Require(InSystemdBootOrder(files).front().name.serial == 7);
}

// Entries of others are ordered among ours: sort-key, machine-id, version, name, counters.
void CheckSystemdBootOrder(std::string_view text) {
  std::vector<SystemdBootSortable> entries;
  for (const std::string_view line : Split(text, '\n')) {
    std::vector<std::string_view> fields = Split(line, ';');
    fields.resize(6);
    SystemdBootSortable entry{.id = std::string(fields[0]),
                              .sort_key = std::nullopt,
                              .machine_id = std::string(fields[2]),
                              .version = std::string(fields[3]),
                              .tries_left = ParseUint64(fields[4]),
                              .tries_done = ParseUint64(fields[5]).value_or(0)};
    if (!fields[1].empty()) entry.sort_key = std::string(fields[1]);
    entries.push_back(std::move(entry));
  }
  if (entries.size() < 2) return;
  const SystemdBootSortable &a = entries[0], &b = entries[1];
  Require(!SystemdBootTakesFirst(a, a) && !(SystemdBootTakesFirst(a, b) && SystemdBootTakesFirst(b, a)));
  if (entries.size() < 3) return;
  const SystemdBootSortable& c = entries[2];
  const int ab = Order(SystemdBootTakesFirst(a, b), SystemdBootTakesFirst(b, a));
  const int bc = Order(SystemdBootTakesFirst(b, c), SystemdBootTakesFirst(c, b));
  if (ab < 0 && bc < 0) Require(SystemdBootTakesFirst(a, c));
}

void CheckEntryText(std::string_view text) {
  (void)IsWholeSystemdBootText(text);
  BootEntry entry = EntryFor(1);
  entry.version = text;
  const std::string written = SystemdBootText(entry, 1);
  Require(IsWholeSystemdBootText(written) && Split(written, '\n').size() <= 8);
  Require(!IsWholeSystemdBootText(written + " ") && !IsWholeSystemdBootText(written.substr(0, written.size() - 1)));
}

void CheckArgument(std::string_view text) {
  const auto plain = Unquoted(text);
  if (!plain) return;
  Require(plain->find('"') == plain->npos && Unquoted(*plain) == *plain);
}

void CheckEfiOption(std::string_view text) {
  const auto option = ParseEfiBootOption(text);
  if (!option) return;
  const auto encoded = EncodeEfiBootOption(*option);
  Require(encoded.ok() && ParseEfiBootOption(*encoded) == *option);
  Require(StartsTheSame(*option, *option));
  const EfiBootVariables variables{.options = {{0, std::string(text)}, {3, "other"}}, .order = {3, 0}};
  const auto plan = PlanEfiBootOptions(variables, *option, 4);
  // Ours first, then what was there.
  Require(plan.ok() && plan->order.size() == (option->active ? 5 : 6));
  Require(plan->added.size() == (option->active ? 3 : 4) && !plan->added.contains(0) && !plan->added.contains(3));
  EfiBootVariables after{.options = variables.options, .order = plan->order};
  after.options.insert(plan->added.begin(), plan->added.end());
  const auto again = PlanEfiBootOptions(after, *option, 4);
  if (option->active) Require(again.ok() && again->added.empty() && again->order == after.order);
}

// A description and a PARTUUID, each on its line: ours are written as they are, or refused.
void CheckEfiText(std::string_view text) {
  const std::vector<std::string_view> lines = Split(text, '\n');
  EfiBootOption option{.description = std::string(lines[0]), .path = "\\EFI\\BOOT\\BOOTX64.EFI"};
  if (lines.size() > 1) option.partition.guid = lines[1];
  const auto encoded = EncodeEfiBootOption(option);
  if (!encoded.ok()) {
    Require(encoded.error().code() == Errc::kInvalid);
    return;
  }
  const auto again = ParseEfiBootOption(*encoded);
  Require(again && again->description == option.description && StartsTheSame(*again, option));
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  constexpr void (*kChecks[])(std::string_view) = {CheckGrubEnv,           CheckUbootState,       CheckUbootProven,
                                                   CheckUbootEntry,        CheckSystemdBootName,  CheckVersions,
                                                   CheckSystemdBootFolder, CheckSystemdBootOrder, CheckEntryText,
                                                   CheckArgument,          CheckEfiOption,        CheckEfiText};
  fuzz::RunSelected(data, size, kChecks);
  return 0;
}
