// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace hostapp {

// The path of a kernel's module in modules.builtin ("kernel/fs/erofs/erofs.ko" a line) or modules.dep
// ("kernel/fs/erofs/erofs.ko.xz: kernel/lib/libcrc32c.ko.xz"), whatever it is compressed with; empty: it is not there.
std::string_view ModulePathIn(std::string_view list, std::string_view module);

}  // namespace hostapp
