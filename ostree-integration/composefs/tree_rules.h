// SPDX-License-Identifier: Apache-2.0
// What names, attributes and texts of a tree have to be. Private to this module.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "hostapp/base/result.h"
#include "ostree-integration/composefs/xattr_table.h"

namespace hostapp::composefs {

// kCorrupt: trees come from outside.
Error Refused(std::string why);

Status CheckName(std::string_view name);
Status CheckXattrs(std::span<const Xattr> xattrs);
// A symbolic link's target or a path in the store; `what` names it in the message.
Status CheckText(std::string_view text, std::string_view what);

}  // namespace hostapp::composefs
