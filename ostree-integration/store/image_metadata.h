// SPDX-License-Identifier: Apache-2.0
// Keys of an image commit's metadata: docs/formats-store.md. Private to this module.
#pragma once

namespace hostapp {

inline constexpr const char* kManifestKey = "hostapp.manifest";           // ay, the exact bytes
inline constexpr const char* kManifestTypeKey = "hostapp.manifest-type";  // ay, its media type
inline constexpr const char* kConfigKey = "hostapp.config";               // ay, the exact bytes
inline constexpr const char* kVersionKey = "version";                     // s, as `ostree log` shows it

}  // namespace hostapp
