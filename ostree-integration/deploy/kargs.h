// SPDX-License-Identifier: Apache-2.0
// Kernel arguments of a deployment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ostree-integration/store/image_store.h"

namespace hostapp {

// The arguments in one file of kargs.d, which errors call `what`: `kargs = ["quiet", "console=ttyS0"]`, none where
// `match-architectures = ["x86_64"]` (as bootc names machines) leaves this one out. kCorrupt, with the line.
Result<std::vector<std::string>> ParseKernelArguments(std::string_view toml, std::string_view what);

// The arguments that the image brings, in usr/lib/bootc/kargs.d/*.toml, then in usr/lib/hostapp/kargs.d/*.toml, each
// folder's files by name. kCorrupt, with file and line.
Result<std::vector<std::string>> ImageKernelArguments(const ImageStore& store, const std::string& commit);

// One argument: printable ASCII, white space only between double quotes, at most 1024 bytes, and neither "--", after
// which the kernel reads no more, nor one of those that say what boots ("hostapp.deployment", "hostapp.boot-set").
// kInvalid.
Status CheckKernelArgument(std::string_view argument);

}  // namespace hostapp
