// SPDX-License-Identifier: Apache-2.0
// Owner, mode and extended attributes of what a checkout root has.
#pragma once

#include <string>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {

// Of an open file or folder, without security.selinux, which is the device's policy's and of no image.
Result<Xattrs> ImageXattrs(int fd);

// What a folder has that is not as `wanted`, in words; empty: nothing.
Result<std::string> FolderProblem(int dir, const Inode& wanted);

// Gives a folder what Checkout() would have given it, durably. A crash leaves some of it for the next time.
Status MendFolder(int dir, const Inode& wanted, OpContext& ctx);

}  // namespace hostapp
