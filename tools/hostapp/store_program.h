// SPDX-License-Identifier: Apache-2.0
// The second program, hostapp-store: the verbs that need the store, a registry or a disk, with the libraries for them.
#pragma once

#include <string>
#include <vector>

#include "hostapp/base/result.h"

namespace hostapp::cli {

// Where it is: ../libexec/hostapp/hostapp-store as seen from this program's folder (bin), whose links are followed. The
// build tree, a package and an image keep the two so; nothing else may name the place. kIo: this program's own place
// cannot be told.
Result<std::string> FindStoreProgram();

// This process becomes the second program, with the same arguments (without the program's name). It returns only when
// that cannot be: kIo.
Error BecomeStoreProgram(const std::vector<std::string>& arguments);

}  // namespace hostapp::cli
