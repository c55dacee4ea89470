// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "hostapp/base/json.h"
#include "hostapp/oci/descriptor.h"

namespace hostapp {

// The platform's members of an object: a descriptor's "platform" and an image's config have the same ones (OCI
// image-spec "image-index.md", "config.md"). kCorrupt, with the path. Which other keys the object may have is the
// caller's.
Result<Platform> ParsePlatformMembers(const JsonCursor& json);

}  // namespace hostapp
