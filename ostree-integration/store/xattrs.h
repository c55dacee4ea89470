// SPDX-License-Identifier: Apache-2.0
// Extended attributes of an open file or folder.
#pragma once

#include "hostapp/base/result.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {

// All of them; none where the file system has no such thing. kIo.
Result<Xattrs> ReadXattrs(int fd);

}  // namespace hostapp
