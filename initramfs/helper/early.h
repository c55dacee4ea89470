// SPDX-License-Identifier: Apache-2.0
// The first and the last steps of an initramfs of our own: what the kernel's empty file system needs before anything
// can be found, and the handing over to the booted system's init.
#pragma once

#include "initramfs/helper/console.h"
#include "initramfs/rootfs/problem.h"

namespace hostapp::initramfs {

// Mounts proc, sysfs, devtmpfs and a tmpfs on /run; opens the console.
bool MountKernelFileSystems(Console& console, Problem& why);

// Loads the modules that a list names, a path a line, in its order. One that does not load is said and passed over:
// what needed it will say so too. Without the list there are none.
inline constexpr const char* kModuleList = "/etc/hostapp/modules";  // with ".<type>": for one kind of file system
void LoadModules(const char* list, Console& console);

// Moves the kernel's file systems and /run into `new_root`, frees the initramfs, makes `new_root` the root and becomes
// `init` with `argv` (whose first is replaced). Returns only if that did not work.
bool SwitchRoot(const char* new_root, const char* init, char** argv, Problem& why);

}  // namespace hostapp::initramfs
