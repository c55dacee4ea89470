// SPDX-License-Identifier: Apache-2.0
// The one place that knows every transport.
#pragma once

#include <memory>

#include "hostapp/oci/blob.h"
#include "hostapp/registry/registry.h"

namespace hostapp {

// The image that a reference names, to read: a registry's, a layout directory's or an archive's. `options` matter to
// registries only. Errors: as the transport's own.
Result<std::unique_ptr<ImageSource>> OpenSource(const Reference& reference, const RegistryOptions& options,
                                                OpContext& ctx);

// The same to write. Nothing is visible before ImageDestination::Commit(), except in a registry.
Result<std::unique_ptr<ImageDestination>> OpenDestination(const Reference& reference, const RegistryOptions& options,
                                                          OpContext& ctx);

}  // namespace hostapp
