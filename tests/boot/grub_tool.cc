// SPDX-License-Identifier: Apache-2.0
// Drives GRUB's real adapter and installer for the boot tests. BOOT is the folder above hostapp/.
//   grub_tool stage BOOT SERIAL BOOT-SET [ARGUMENT…]
//   grub_tool arm BOOT DEFAULT TRIAL TRIES       both staged
//   grub_tool bless BOOT SERIAL
//   grub_tool read BOOT                          default=… trial=… tries=… entries=… proven=…
//   grub_tool config TOP                         grub.cfg
//   grub_tool bios UUID TOP SECTOR BOOT-CODE CORE
//   grub_tool efi UUID TOP FILE
// Freezes BOOT's file system as on a device when GRUB_TOOL_FREEZES is set: not that of the machine that runs tests.
#include <fcntl.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/grub.h"
#include "ostree-integration/deploy/loaders/grub_config.h"
#include "ostree-integration/deploy/loaders/grub_install.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_context.h"

namespace {

using namespace hostapp;  // NOLINT: the tool speaks of nothing else

using Arguments = std::vector<std::string>;

struct Context {
  hostapp::testing::TestContext context;
  hostapp::testing::FaultySyscalls quiet;
  OpContext ctx{.clock = context.clock,
                .log = context.log,
                .progress = context.progress,
                .cancel = {},
                .sys = std::getenv("GRUB_TOOL_FREEZES") != nullptr ? RealSyscalls() : quiet};
};

// Of a staged entry an adapter needs no more.
BootEntry Staged(const std::string& serial, bool proven) {
  BootEntry entry;
  entry.serial = ParseUint64(serial).value_or(0);
  entry.proven = proven;
  return entry;
}

Result<HashValue> ParseBootSet(const std::string& hex) {
  const auto bytes = HexDecode(hex);
  HashValue value;
  if (!bytes || bytes->size() != HashSize(value.algorithm)) return Error(Errc::kInvalid, hex + " is no boot set");
  std::copy(bytes->begin(), bytes->end(), value.bytes.begin());
  return value;
}

Status WriteOut(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary);
  out << bytes;
  if (out.flush()) return Ok();
  return Error(Errc::kIo, "writing " + path);
}

Status Stage(Loader& loader, const Arguments& args, OpContext& ctx) {
  BootEntry entry = Staged(args[2], false);
  ASSIGN_OR_RETURN(entry.boot_set, ParseBootSet(args[3]));
  entry.arguments.assign(args.begin() + 4, args.end());
  TRY(loader.Check(entry));
  return loader.Stage(entry, ctx);
}

std::string Listed(const std::vector<uint64_t>& serials) {
  std::vector<std::string> texts;
  for (const uint64_t serial : serials) texts.push_back(std::to_string(serial));
  return Join(texts, ",");
}

Status Show(const Loader& loader) {
  ASSIGN_OR_RETURN(const LoaderState state, loader.Read());
  std::cout << "default=" << state.default_serial << "\n";
  if (state.trial) std::cout << "trial=" << state.trial->serial << "\ntries=" << state.trial->tries_left << "\n";
  std::cout << "entries=" << Listed(state.entries) << "\nproven=" << Listed(state.proven) << "\n";
  return Ok();
}

Status Drive(const Arguments& args, OpContext& ctx) {
  ASSIGN_OR_RETURN(const UniqueFd boot, OpenDir(AT_FDCWD, args[1], ctx.sys));
  GrubLoader loader(boot.get());
  if (args[0] == "stage" && args.size() >= 4) return Stage(loader, args, ctx);
  if (args[0] == "arm" && args.size() == 5) {
    return loader.Arm(Staged(args[2], true), Staged(args[3], false), std::atoi(args[4].c_str()), ctx);
  }
  if (args[0] == "bless" && args.size() == 3) return loader.Bless(Staged(args[2], true), ctx);
  if (args[0] == "read" && args.size() == 2) return Show(loader);
  return Error(Errc::kInvalid, "usage: see the top of grub_tool.cc");
}

Status Run(const Arguments& args, OpContext& ctx) {
  if (args.size() < 2) return Error(Errc::kInvalid, "usage: see the top of grub_tool.cc");
  if (args[0] == "config") {
    std::cout << GrubConfig(args[1]);
    return Ok();
  }
  if (args[0] == "bios" && args.size() == 6) {
    ASSIGN_OR_RETURN(const GrubBios bios,
                     MakeGrubBios({.uuid = args[1], .top = args[2]}, ParseUint64(args[3]).value_or(0), ctx));
    TRY(WriteOut(args[4], bios.boot_code));
    return WriteOut(args[5], bios.core);
  }
  if (args[0] == "efi" && args.size() == 4) {
    ASSIGN_OR_RETURN(const std::string efi, MakeGrubEfi({.uuid = args[1], .top = args[2]}, ctx));
    return WriteOut(args[3], efi);
  }
  return Drive(args, ctx);
}

}  // namespace

int main(int argc, char** argv) {
  Context context;
  const Status status = Run(Arguments(argv + 1, argv + argc), context.ctx);
  if (status.ok()) return 0;
  std::cerr << "grub_tool: " << status.error().message() << "\n";
  return 1;
}
