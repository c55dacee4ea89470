// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/update_loader.h"

#include <fcntl.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/update_grub.h"
#include "hostapp/oci/descriptor.h"
#include "ostree-integration/deploy/loaders/boot_file.h"
#include "ostree-integration/deploy/loaders/systemd_boot_install.h"
#include "ostree-integration/sysroot/open_loader.h"

namespace hostapp {
namespace {

constexpr uint64_t kMaxProgramBytes = uint64_t{16} << 20;
// UEFI specification, 3.3; four bytes of attributes come before the value.
constexpr const char* kSecureBoot = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
constexpr size_t kValueAt = 4;

Status CheckNoSecureBoot(const std::string& efivars) {
  if (efivars.empty()) return Ok();
  const Result<std::string> value = ReadFile(AT_FDCWD, StrCat(efivars, "/", kSecureBoot), kMaxProgramBytes);
  if (!value.ok() || value->size() <= kValueAt || (*value)[kValueAt] == 0) return Ok();
  return Error(Errc::kInvalid, "Secure Boot is on, and the new program would not be signed");
}

Result<LoaderUpdate> UpdateSystemdBoot(const Device& device, const std::string& programs, OpContext& ctx) {
  ASSIGN_OR_RETURN(const SystemdBootProgram program, ReadSystemdBoot(HostPlatform().architecture, ctx, programs));
  LoaderUpdate update{
      .loader = LoaderKind::kSystemdBoot, .path = program.path, .program = HashOf(AsBytes(program.content))};
  // Nobody else writes there meanwhile.
  ASSIGN_OR_RETURN(const LedgerLock lock, LedgerLock::Acquire(device.sysroot, ctx));
  TRY(CheckFallBack(device.sysroot.boot(), program.fallback_path));
  TRY(ReplaceLoader(device.sysroot.boot(), program.content, update, ctx).While("updating systemd-boot"));
  return update;
}

}  // namespace

Status CheckFallBack(int esp, const std::string& path) {
  const Result<std::string> content = ReadPastCache(esp, path, kMaxProgramBytes);
  if (content.ok() && content->starts_with("MZ")) return Ok();
  return Error(Errc::kCorrupt, StrCat(path,
                                      ", which would be started if the new program is not, is missing or damaged; "
                                      "copy a boot loader that works there first"));
}

Status ReplaceLoader(int esp, std::string_view program, LoaderUpdate& update, OpContext& ctx) {
  const Result<std::string> old = ReadPastCache(esp, update.path, kMaxProgramBytes);
  update.changed = !old.ok() || *old != program;
  if (!update.changed) return Ok();
  const size_t slash = update.path.rfind('/');
  return ReplaceBootFile(esp, update.path.substr(0, slash), update.path.substr(slash + 1), program, ctx);
}

Result<LoaderUpdate> UpdateLoader(const Device& device, OpContext& ctx, const LoaderPrograms& programs) {
  ASSIGN_OR_RETURN(const LoaderConfig config, ReadLoaderConfig(device.sysroot.hostapp()));
  const bool is_ours = config.kind == LoaderKind::kSystemdBoot || config.kind == LoaderKind::kGrub;
  if (is_ours) TRY(CheckNoSecureBoot(device.sysroot.paths().efivars));
  switch (config.kind) {
    case LoaderKind::kSystemdBoot:
      return UpdateSystemdBoot(device, programs.systemd_boot, ctx);
    case LoaderKind::kGrub:
      return UpdateGrub(device, config, programs.grub, ctx);
    case LoaderKind::kUboot:
      return Error(Errc::kInvalid, "U-Boot belongs to the board, and is updated with the board's own tools");
    case LoaderKind::kNone:
      break;
  }
  return Error(Errc::kInvalid, "this device has no boot loader of ours: its kernel comes from outside");
}

}  // namespace hostapp
