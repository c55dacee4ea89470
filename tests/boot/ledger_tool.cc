// SPDX-License-Identifier: Apache-2.0
// Makes and shows boot ledgers for the boot tests.
//   ledger_tool make FILE [default=1] [previous=…] [trial=2] [tries=3] [etc-from=1] [attempts=0] [pending=0]
//   [boot-set.2=<hex>] [composefs.2=<hex>]
//   ledger_tool show FILE
// A made ledger has its record, generation 10, in the second slot and the one before in the first. The boot set of
// deployment N is N's last digit 64 times unless one is given.
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "initramfs/bootsel/cmdline.h"

namespace {

using namespace hostapp::bootsel;  // NOLINT: the tool speaks of nothing else

using Options = std::map<std::string, std::string>;

Serial SerialIn(const Options& options, const std::string& key) {
  const auto found = options.find(key);
  return found == options.end() ? kNoSerial : ParseSerial(found->second);
}

NamedDeployment Named(const Options& options, const std::string& key) {
  NamedDeployment deployment;
  deployment.serial = SerialIn(options, key);
  if (deployment.serial == kNoSerial) return deployment;
  const auto given = options.find("boot-set." + std::to_string(deployment.serial));
  const std::string hex =
      given != options.end() ? given->second : std::string(64, static_cast<char>('0' + deployment.serial % 10));
  if (!ParseDigest(hex, deployment.boot_set)) std::cerr << "not a digest: " << hex << "\n";
  const auto image = options.find("composefs." + std::to_string(deployment.serial));
  deployment.has_composefs_digest = image != options.end() && ParseDigest(image->second, deployment.composefs);
  return deployment;
}

int Make(const std::string& path, const Options& options) {
  Ledger ledger;
  ledger.generation = 9;
  ledger.default_deployment = Named(options, "default");
  ledger.previous = Named(options, "previous");
  std::vector<std::byte> file(kLedgerFileBytes);
  Encode(ledger, std::span(file).first<kSlotBytes>());
  ledger.generation = 10;
  static_cast<NamedDeployment&>(ledger.trial) = Named(options, "trial");
  ledger.trial.tries_left = static_cast<uint8_t>(SerialIn(options, "tries"));
  ledger.trial.etc_from = SerialIn(options, "etc-from");
  ledger.trial.manifest.algorithm = DigestAlgorithm::kSha256;
  ledger.default_attempts = static_cast<uint32_t>(SerialIn(options, "attempts"));
  ledger.pending_action = static_cast<uint32_t>(SerialIn(options, "pending"));
  Encode(ledger, std::span(file).subspan<kSlotBytes, kSlotBytes>());
  std::ofstream out(path, std::ios::binary);
  out.write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return out.flush() ? 0 : 1;
}

int Show(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
  LedgerFile file;
  ReadLedgerFile(std::as_bytes(std::span(bytes)), file);
  const Ledger& ledger = file.ledger;
  std::cout << "slots=" << SlotStateName(file.slots[0]) << "," << SlotStateName(file.slots[1])
            << "\ngeneration=" << ledger.generation << "\ndefault=" << ledger.default_deployment.serial
            << "\nprevious=" << ledger.previous.serial << "\ntrial=" << ledger.trial.serial
            << "\ntries=" << int{ledger.trial.tries_left} << "\nattempts=" << ledger.default_attempts
            << "\npending=" << ledger.pending_action << "\nforeign=" << ledger.foreign_boots
            << "\nfailed=" << ledger.last_failure.serial
            << "\ncause=" << (ledger.last_failure.serial == kNoSerial ? "" : CauseName(ledger.last_failure.cause))
            << "\ntext=" << ledger.last_failure.Text() << "\n";
  return file.pick.newest >= 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  Options options;
  for (size_t i = 2; i < args.size(); i++) {
    const size_t equals = args[i].find('=');
    if (equals != std::string::npos) options[args[i].substr(0, equals)] = args[i].substr(equals + 1);
  }
  if (args.size() >= 2 && args[0] == "make") return Make(args[1], options);
  if (args.size() == 2 && args[0] == "show") return Show(args[1]);
  std::cerr << "usage: ledger_tool make FILE KEY=VALUE… | ledger_tool show FILE\n";
  return 2;
}
