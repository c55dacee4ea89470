// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ostree-integration/store/image_store.h"

namespace hostapp {

// Whether a tree has what user space needs to begin: an init at sbin/init, usr/sbin/init or usr/lib/systemd/systemd.
// (Kernel and initramfs: ReadBootSet().) kCorrupt, with what is missing.
Status CheckBootable(const ImageStore& store, const std::string& commit);

}  // namespace hostapp
