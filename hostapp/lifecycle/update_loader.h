// SPDX-License-Identifier: Apache-2.0
// The boot loader's own program, of the running release.
#pragma once

#include <string>

#include "hostapp/lifecycle/device.h"
#include "ostree-integration/deploy/loaders/loader.h"

namespace hostapp {

struct LoaderUpdate {
  LoaderKind loader = LoaderKind::kNone;
  std::string path;      // on the EFI system partition
  bool changed = false;  // false: it was the same already
  HashValue program;     // what is there now
};

// Puts the systemd-boot that `programs` has where the firmware's boot options look. What firmware starts without them
// (EFI/BOOT) stays as it is: a new program that does not start, or is not whole after a power cut, is followed by the
// old one. Only where that is there and an EFI program.
//
// kInvalid, by name: other loaders, of which there is one copy that nothing stands behind; Secure Boot, for the program
// is not signed. kCorrupt: there is nothing to fall back to. kNotFound: the package is not in this release. kNoSpace,
// kIo.
Result<LoaderUpdate> UpdateLoader(const Device& device, OpContext& ctx,
                                  const std::string& programs = "/usr/lib/systemd/boot/efi");

}  // namespace hostapp
