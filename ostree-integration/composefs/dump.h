// SPDX-License-Identifier: Apache-2.0
// Trees written down as text: composefs-dump(5), what `mkcomposefs --from-file` reads and `composefs-info dump` prints.
#pragma once

#include <string_view>

#include "hostapp/base/result.h"
#include "ostree-integration/composefs/tree.h"

namespace hostapp::composefs {

// The tree that `text` says. Strict: what mkcomposefs forgives (fields with nothing in them, a size that is not the
// content's, a number of a device for what is none) is kCorrupt, the line's number in front; so is what no image can
// have. Time and memory grow with the text and no faster, whatever its links say.
Result<Tree> ReadDump(std::string_view text);

}  // namespace hostapp::composefs
