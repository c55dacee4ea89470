// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/update_loader.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/oci/descriptor.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
#include "ostree-integration/deploy/loaders/systemd_boot_install.h"
#include "ostree-integration/deploy/open_loader.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxProgramBytes = uint64_t{16} << 20;
// UEFI specification, 3.3; four bytes of attributes come before the value.
constexpr const char* kSecureBoot = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
constexpr size_t kValueAt = 4;

Status CheckLoader(LoaderKind loader) {
  switch (loader) {
    case LoaderKind::kSystemdBoot:
      return Ok();
    case LoaderKind::kGrub:
      return Error(Errc::kInvalid,
                   "GRUB is not updated in place: its core image for BIOS lies outside of every file system, and its "
                   "program for UEFI is the only one there; a power cut would leave nothing that starts");
    case LoaderKind::kUboot:
      return Error(Errc::kInvalid, "U-Boot belongs to the board, and is updated with the board's own tools");
    case LoaderKind::kNone:
      break;
  }
  return Error(Errc::kInvalid, "this device has no boot loader of ours: its kernel comes from outside");
}

Status CheckNoSecureBoot(const std::string& efivars) {
  if (efivars.empty()) return Ok();
  const Result<std::string> value = ReadFile(AT_FDCWD, StrCat(efivars, "/", kSecureBoot), kMaxProgramBytes);
  if (!value.ok() || value->size() <= kValueAt || (*value)[kValueAt] == 0) return Ok();
  return Error(Errc::kInvalid, "Secure Boot is on, and systemd-boot as the package has it is not signed");
}

bool IsProgram(const Result<std::string>& content) { return content.ok() && content->starts_with("MZ"); }

}  // namespace

Result<LoaderUpdate> UpdateLoader(const Device& device, OpContext& ctx, const std::string& programs) {
  const Sysroot& sysroot = device.sysroot;
  ASSIGN_OR_RETURN(const LoaderConfig config, ReadLoaderConfig(sysroot.hostapp()));
  TRY(CheckLoader(config.kind));
  TRY(CheckNoSecureBoot(sysroot.paths().efivars));
  ASSIGN_OR_RETURN(const SystemdBootProgram program, ReadSystemdBoot(HostPlatform().architecture, ctx, programs));
  LoaderUpdate update{.loader = config.kind, .path = program.path, .program = HashOf(AsBytes(program.content))};
  // Nobody else writes there meanwhile.
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(sysroot, ctx));
  const Result<std::string> old = ReadPastCache(sysroot.boot(), program.path, kMaxProgramBytes);
  if (old.ok() && *old == program.content) return update;
  if (!IsProgram(ReadPastCache(sysroot.boot(), program.fallback_path, kMaxProgramBytes))) {
    return Error(Errc::kCorrupt, StrCat(program.fallback_path,
                                        ", which would be started if the new program is not, is missing or damaged; "
                                        "copy a systemd-boot that works there first"));
  }
  const size_t slash = program.path.rfind('/');
  TRY(PutBootFile(sysroot.boot(), program.path.substr(0, slash), program.path.substr(slash + 1), program.content, ctx)
          .While("updating systemd-boot"));
  update.changed = true;
  return update;
}

}  // namespace hostapp
