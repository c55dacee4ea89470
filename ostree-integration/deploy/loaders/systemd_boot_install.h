// SPDX-License-Identifier: Apache-2.0
// systemd-boot itself, of Debian's package, for the EFI system partition.
#pragma once

#include <string>
#include <string_view>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

struct SystemdBootProgram {
  std::string path;           // "EFI/systemd/systemd-bootx64.efi": what boot options name
  std::string fallback_path;  // "EFI/BOOT/BOOTX64.EFI": what firmware without boot options starts
  std::string content;
};

// `architecture` as OCI names it. kInvalid for one that there is no systemd-boot for; kNotFound, with the package, when
// it is not installed; kCorrupt when the file is no EFI program. It is not signed. `folder`: where the package has it.
Result<SystemdBootProgram> ReadSystemdBoot(std::string_view architecture, OpContext& ctx,
                                           const std::string& folder = "/usr/lib/systemd/boot/efi");

// The paths alone.
Result<SystemdBootProgram> SystemdBootPaths(std::string_view architecture);

}  // namespace hostapp
