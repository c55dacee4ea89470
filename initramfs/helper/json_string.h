// SPDX-License-Identifier: Apache-2.0
// The few values that the helper needs of a deployment.json, without a JSON parser in the boot path.
#pragma once

#include <string_view>

namespace hostapp::initramfs {

// The string that the outermost object has under `key`, as it stands between its quotes. Empty if there is none, if it
// holds an escape (neither a digest nor a reference to one does), or if the text is no object. Deployment.json is
// written by hostapp, canonical; bytes that no writer makes give an empty answer or some other member, never more.
std::string_view FindString(std::string_view json, std::string_view key);

}  // namespace hostapp::initramfs
