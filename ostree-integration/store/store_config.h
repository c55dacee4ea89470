// SPDX-License-Identifier: Apache-2.0
// Private to this module: the config of the store's OSTree repository.
#pragma once

#include <ostree.h>

#include <string>
#include <string_view>

#include "hostapp/base/op_context.h"
#include "hostapp/base/result.h"

namespace hostapp {

inline constexpr std::string_view kRepoPath = "ostree/repo";
// Ours, in the repository's config; libostree keeps groups that it doesn't know.
inline constexpr const char* kOurGroup = "hostapp";
inline constexpr const char* kVerityKey = "fs-verity";

// The repository's mode: one that libostree knows. kCorrupt: the config is missing or damaged; kIo.
Result<std::string> ReadMode(int repo_dir);
// kCorrupt for any but bare.
Status CheckMode(std::string_view mode);

// Writes what this store wants to have in it, and an older one may lack; nothing when it has it.
Status SetConfig(OstreeRepo* repo);

// Durable, and whole or not at all: all that this store wants, for a repository of mode bare.
Status ReplaceConfig(int repo_dir, bool verity, OpContext& ctx);

// libostree replaces its config through a file "tmp.XXXXXX" beside it, which a crash in between leaves for ever.
Status RemoveUnfinishedConfig(int repo_dir, OpContext& ctx);

}  // namespace hostapp
