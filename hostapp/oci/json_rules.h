// SPDX-License-Identifier: Apache-2.0
// What every JSON document of an image has to keep besides its own grammar.
#pragma once

#include <initializer_list>
#include <string_view>

#include "hostapp/base/json.h"

namespace hostapp {

// kCorrupt where a key differs from one of `known` in the case of its letters only ("Layers"): other readers fold case,
// so that one document would be two. Keys that nobody knows are ignored, as the specification asks.
Status RefuseCaseVariants(const JsonCursor& object, std::initializer_list<std::string_view> known);

}  // namespace hostapp
