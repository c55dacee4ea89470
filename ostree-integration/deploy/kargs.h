// SPDX-License-Identifier: Apache-2.0
// Kernel arguments of a deployment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ostree-integration/store/image_store.h"

namespace hostapp {

// The arguments that the image brings: `kargs = ["quiet", "console=ttyS0"]` in usr/lib/bootc/kargs.d/*.toml, then in
// usr/lib/hostapp/kargs.d/*.toml, each folder's files by name; `match-architectures = ["x86_64"]` limits a file to
// these machines (as bootc names them). kCorrupt, with file and line.
Result<std::vector<std::string>> ImageKernelArguments(const ImageStore& store, const std::string& commit);

// One argument: printable ASCII, white space only between double quotes, at most 1024 bytes, and neither "--", after
// which the kernel reads no more, nor one of those that say what boots ("hostapp.deployment", "hostapp.boot-set").
// kInvalid.
Status CheckKernelArgument(std::string_view argument);

}  // namespace hostapp
