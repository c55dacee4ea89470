// SPDX-License-Identifier: Apache-2.0
// A boot file system for virtual machines, made by the adapters in a folder.
//
// usage: loader_tool FOLDER LOADER COMMAND…
//   install [arm64|bootcount LINES]      what an installer writes once: the script or configuration; LINES of the
//   board's
//                                        own come before the script that goes by its count
//   stage SERIAL KERNEL INITRD [ARG…]    its boot set, then the adapter's Stage()
//   arm FALLBACK TRIAL TRIES
//   bless SERIAL                         as one that is proven
//   remove SERIAL
//   read                                 prints default, trial, entries and proven
//   boot-options PARTUUID NUMBER FIRST BLOCKS COUNT   FOLDER is efivarfs: options for its EFI/BOOT/BOOTX64.EFI
//
// What it has to remember of an entry stands in FOLDER/tool/<serial>.
#include <fcntl.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "hostapp/base/durable.h"
#include "ostree-integration/deploy/loaders/efi_boot_options.h"
#include "ostree-integration/deploy/loaders/loader.h"
#include "ostree-integration/deploy/loaders/systemd_boot_entry.h"
#include "ostree-integration/deploy/loaders/uboot_script.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

struct Tool {
  fs::path folder;
  Loader& loader;
  OpContext& ctx;
};

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void WriteText(const fs::path& path, std::string_view text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

uint64_t Number(const std::string& word) { return ParseUint64(word).value(); }

// The first line is the boot set, each other an argument.
BootEntry EntryOf(const Tool& tool, const std::string& serial) {
  const std::string text = ReadText(tool.folder / "tool" / serial);
  BootEntry entry{.serial = Number(serial), .boot_set = {}, .arguments = {}, .version = "1." + serial, .proven = true};
  bool first = true;
  for (const std::string_view line : Split(Trim(text), '\n')) {
    if (first) {
      const auto digest = HexDecode(line).value();
      std::copy(digest.begin(), digest.end(), entry.boot_set.bytes.begin());
    } else {
      entry.arguments.emplace_back(line);
    }
    first = false;
  }
  return entry;
}

void Install(const Tool& tool, const Words& words) {
  const UbootArch arch = words.size() > 1 && words[1] == "arm64" ? UbootArch::kArm64 : UbootArch::kX86;
  if (tool.loader.kind() == LoaderKind::kUboot) {
    const bool counts = words.size() > 2 && words[1] == "bootcount";
    const std::string script =
        UbootScript({.arch = arch, .counting = counts ? UbootCounting::kBootcount : UbootCounting::kState});
    WriteText(tool.folder / "boot.scr", UbootScriptImage(StrCat(counts ? words[2] : "", script), arch));
  }
  if (tool.loader.kind() == LoaderKind::kSystemdBoot)
    WriteText(tool.folder / "loader/loader.conf", SystemdBootConfig());
}

Status Stage(const Tool& tool, const Words& words) {
  const std::string kernel = ReadText(words.at(2)), initrd = ReadText(words.at(3));
  const std::string sums =
      StrCat(HashOf(AsBytes(initrd)).Hex(), "  initrd\n", HashOf(AsBytes(kernel)).Hex(), "  linux\n");
  const std::string digest = HashOf(AsBytes(sums)).Hex();
  const fs::path set = tool.folder / "hostapp" / digest;
  WriteText(set / "linux", kernel);
  WriteText(set / "initrd", initrd);
  WriteText(set / "SHA256SUMS", sums);
  std::string remembered = digest + "\n";
  for (size_t at = 4; at < words.size(); ++at) remembered += words[at] + "\n";
  WriteText(tool.folder / "tool" / words.at(1), remembered);
  const BootEntry entry = EntryOf(tool, words.at(1));
  TRY(tool.loader.Check(entry));
  return tool.loader.Stage(entry, tool.ctx);
}

std::string Numbers(const std::vector<uint64_t>& numbers) {
  std::string text;
  for (const uint64_t number : numbers) text += StrCat(" ", number);
  return text;
}

Status Print(const Tool& tool) {
  ASSIGN_OR_RETURN(const LoaderState state, tool.loader.Read());
  std::cout << "default " << state.default_serial << "\ntrial ";
  if (state.trial) std::cout << state.trial->serial << " " << state.trial->tries_left;
  std::cout << "\nentries" << Numbers(state.entries) << "\nproven" << Numbers(state.proven) << "\n";
  return Ok();
}

Status AddBootOptions(const Tool& tool, const Words& words) {
  const EfiBootOption option{.active = true,
                             .description = "hostapp",
                             .partition = {.number = static_cast<uint32_t>(Number(words.at(2))),
                                           .first_block = Number(words.at(3)),
                                           .blocks = Number(words.at(4)),
                                           .guid = words.at(1)},
                             .path = "\\EFI\\BOOT\\BOOTX64.EFI"};
  ASSIGN_OR_RETURN(const UniqueFd efivars, OpenDir(AT_FDCWD, tool.folder.string(), tool.ctx.sys));
  return EnsureEfiBootOptions(efivars.get(), option, static_cast<int>(Number(words.at(5))), tool.ctx);
}

Status Run(const Tool& tool, const Words& words) {
  const std::string& verb = words.at(0);
  if (verb == "install") Install(tool, words);
  if (verb == "stage") return Stage(tool, words);
  if (verb == "arm") {
    const BootEntry fallback = EntryOf(tool, words.at(1)), trial = EntryOf(tool, words.at(2));
    return tool.loader.Arm(fallback, trial, static_cast<int>(Number(words.at(3))), tool.ctx);
  }
  if (verb == "bless") return tool.loader.Bless(EntryOf(tool, words.at(1)), tool.ctx);
  if (verb == "remove") return tool.loader.Remove(Number(words.at(1)), tool.ctx);
  if (verb == "boot-options") return AddBootOptions(tool, words);
  if (verb == "read") return Print(tool);
  return Ok();
}

}  // namespace
}  // namespace hostapp

int main(int argc, char** argv) {
  using namespace hostapp;
  const Words words(argv, argv + argc);
  if (words.size() < 4 || !ParseLoaderName(words[2])) {
    std::cerr << "usage: loader_tool FOLDER LOADER install|stage|arm|bless|remove|read …\n";
    return 2;
  }
  testing::TestContext context;
  testing::FaultySyscalls sys;  // does not freeze the machine that runs the tests
  OpContext ctx{.clock = context.clock, .log = context.log, .progress = context.progress, .cancel = {}, .sys = sys};
  const UniqueFd boot = OpenDir(AT_FDCWD, words[1], ctx.sys).value();
  const auto loader = MakeLoader(*ParseLoaderName(words[2]), boot.get());
  const Status status = Run({.folder = words[1], .loader = *loader, .ctx = ctx}, Words(words.begin() + 3, words.end()));
  if (status.ok()) return 0;
  std::cerr << "loader_tool: " << status.error().message() << "\n";
  return 1;
}
