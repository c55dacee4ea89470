// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/boot_entry.h"

#include <array>

#include "hostapp/base/strings.h"

namespace hostapp {
namespace {

// A device must come back by itself. Debian's kernels stop for ever after a panic; an initramfs asks a person about
// damage that it could repair, and (dracut's) ends in a shell.
constexpr std::array kUnattended = {"panic=10", "fsck.repair=yes", "rd.shell=0", "rd.emergency=reboot"};

}  // namespace

std::vector<std::string> EntryArguments(const BootEntry& entry) {
  std::vector<std::string> all = {StrCat("hostapp.deployment=", entry.serial),
                                  StrCat("hostapp.boot-set=", entry.boot_set.Hex())};
  all.insert(all.end(), kUnattended.begin(), kUnattended.end());
  all.insert(all.end(), entry.arguments.begin(), entry.arguments.end());
  return all;
}

Status CheckEntryArguments(const BootEntry& entry) {
  const size_t bytes = Join(EntryArguments(entry), " ").size();
  if (bytes <= kMaxCommandLineBytes) return Ok();
  return Error(Errc::kInvalid, StrCat("the kernel arguments have, with what every entry adds, ", bytes,
                                      " bytes, more than the ", kMaxCommandLineBytes, " that a kernel takes"));
}

std::optional<std::string> Unquoted(std::string_view argument) {
  std::string plain(argument);
  const size_t first = plain.find('"');
  if (first == std::string::npos) return plain;
  const bool starts_value = first == 0 || plain.find('=') == first - 1;
  if (!starts_value || plain.size() == first + 1 || plain.find('"', first + 1) != plain.size() - 1) return std::nullopt;
  plain.pop_back();
  plain.erase(first, 1);
  return plain;
}

}  // namespace hostapp
