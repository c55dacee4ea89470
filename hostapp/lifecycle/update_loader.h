// SPDX-License-Identifier: Apache-2.0
// The boot loader's own program, of the running release.
#pragma once

#include <string>

#include "hostapp/boot/device.h"
#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

struct LoaderUpdate {
  LoaderKind loader = LoaderKind::kNone;
  std::string path;      // on the EFI system partition
  bool changed = false;  // false: it was the same already
  HashValue program;     // what is there now
};

// Where the running release has its boot loaders, as Debian's packages do.
struct LoaderPrograms {
  std::string systemd_boot = "/usr/lib/systemd/boot/efi";
  std::string grub = "/usr/lib/grub";
};

// Puts the running release's systemd-boot, or its GRUB on a machine with UEFI, where the firmware's boot options look.
// What firmware starts without them (EFI/BOOT) stays as it is: a new program that does not start, or is not whole after
// a power cut, is followed by the old one. Only where that is there and an EFI program.
//
// kInvalid, by name: other loaders, of which there is one copy that nothing stands behind; Secure Boot, for the program
// is not signed. kCorrupt: there is nothing to fall back to. kNotFound: the package is not in this release. kNoSpace,
// kIo.
Result<LoaderUpdate> UpdateLoader(const Device& device, OpContext& ctx, const LoaderPrograms& programs = {});

// Its parts. kCorrupt: `path` below `esp` is missing or no EFI program.
Status CheckFallBack(int esp, const std::string& path);
// Makes update.path below `esp` this program, and says whether it was another.
Status ReplaceLoader(int esp, std::string_view program, LoaderUpdate& update, OpContext& ctx);

}  // namespace hostapp
