// SPDX-License-Identifier: Apache-2.0
// The part of TOML 1.0 that configuration files of this world use: registries.conf, kargs.d/*.toml.
//
// Read: comments, tables, arrays of tables, bare, quoted and dotted keys, basic and literal strings of one line,
// booleans, decimal integers, arrays. Not read, and refused by name: multi-line strings, inline tables, floats, dates,
// other bases. The result is a Json, so that a JsonCursor reads it.
#pragma once

#include <string_view>

#include "hostapp/base/json.h"

namespace hostapp {

// kCorrupt, as "registries.conf:12: what is wrong". At most 1 MiB, 32 levels deep. `what` names the document.
Result<Json> ParseToml(std::string_view text, std::string_view what);

}  // namespace hostapp
