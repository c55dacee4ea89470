// SPDX-License-Identifier: Apache-2.0
// A reference's transport, opened: a registry, a layout directory, an archive.
#pragma once

#include <memory>

#include "hostapp/oci/blob.h"
#include "hostapp/registry/registry.h"

namespace hostapp {

// For reading. No request is made yet. kNotFound: no such directory, archive or tag in it.
Result<std::unique_ptr<ImageSource>> OpenSource(const Reference& reference, const RegistryOptions& options,
                                                OpContext& ctx);

// For writing. Nothing is visible before its PutManifest() and Commit().
Result<std::unique_ptr<ImageDestination>> OpenDestination(const Reference& reference, const RegistryOptions& options,
                                                          OpContext& ctx);

}  // namespace hostapp
