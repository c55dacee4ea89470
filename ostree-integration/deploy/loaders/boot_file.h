// SPDX-License-Identifier: Apache-2.0
// Files that a boot loader reads: small, and on the disk when the call returns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"
#include "hostapp/base/unique_fd.h"

namespace hostapp {

// As the disk has it: what is cached was written by us a moment ago. Errors as ReadFile().
Result<std::string> ReadPastCache(int dir, const std::string& path, uint64_t max_bytes);

// Opens a folder below `boot`; where it is missing, makes it, durable: with all of `boot`'s file system, since on FAT
// the folder's own sync would write its name and that its cluster is taken in one go, in any order.
Result<UniqueFd> MakeBootDirs(int boot, const std::string& path, OpContext& ctx);

// What makes a folder whole: it is written last.
inline constexpr const char* kSumsName = "SHA256SUMS";

// Removes the folder `name` in `dir`, durable; ok when there is none. Its SHA256SUMS goes first, and durably: what a
// crash leaves is not whole for anybody.
Status RemoveSummedFolder(int dir, const std::string& name, OpContext& ctx);

// Makes or overwrites `folder`/`name` below `boot`, syncs the rest of the file system, too, reads the file back past
// the cache and compares. For content that says itself whether it is whole: a crash in between may leave a part of it
// under that name, but nothing under another. kNoSpace, kIo.
Status WriteBootFile(int boot, const std::string& folder, const std::string& name, std::string_view content,
                     OpContext& ctx);

// The same for what its reader takes as it is: a crash in between leaves the old file or the new one; on FAT perhaps
// none, and an empty one only if the kernel writes its folder by itself in that moment.
Status ReplaceBootFile(int boot, const std::string& folder, const std::string& name, std::string_view content,
                       OpContext& ctx);

}  // namespace hostapp
