// SPDX-License-Identifier: Apache-2.0
// Files that a boot loader reads: small, and on the disk when the call returns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

// As the disk has it: what is cached was written by us a moment ago. Errors as ReadFile().
Result<std::string> ReadPastCache(int dir, const std::string& path, uint64_t max_bytes);

// Makes or replaces `folder`/`name` below `boot`, syncs the rest of the file system, too, reads the file back past the
// cache and compares. A crash in between leaves the old file or the new one; on FAT perhaps none, and an empty one only
// if the kernel writes its folder by itself in that moment. kNoSpace, kIo.
Status PutBootFile(int boot, const std::string& folder, const std::string& name, std::string_view content,
                   OpContext& ctx);

}  // namespace hostapp
