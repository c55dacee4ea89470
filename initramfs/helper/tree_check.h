// SPDX-License-Identifier: Apache-2.0
// What must be in a tree before we give the machine to it.
#pragma once

#include <string_view>

#include "initramfs/bootsel/ledger.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

// That `init` (absolute; links are followed inside of `tree` only) is a regular, executable file that starts like a
// program (ELF or #!). What it needs further on is found by starting it.
bool CheckInit(int tree, const char* init, Problem& why);

// That the tree has modules for the running kernel, if that kernel loads any. Only meaningful under the deployment's
// own kernel.
bool CheckModules(int tree, Problem& why);

}  // namespace hostapp::initramfs
