// SPDX-License-Identifier: Apache-2.0
// The two small files of an image layout, the same in a directory and in an archive.
#pragma once

#include <string>
#include <string_view>

#include "hostapp/oci/manifest.h"
#include "hostapp/oci/reference.h"

namespace hostapp {

inline constexpr std::string_view kLayoutFileName = "oci-layout";
inline constexpr std::string_view kLayoutFileText = R"({"imageLayoutVersion":"1.0.0"})";
inline constexpr std::string_view kLayoutIndexName = "index.json";
inline constexpr uint64_t kMaxLayoutFileBytes = 4096;

// kCorrupt unless `text` is an "oci-layout" file of a version 1.
Status CheckLayoutFile(std::string_view text);

// The entry of index.json that `reference` means: by its digest, by its tag, or the only one there is. kNotFound with
// the tags there are; kCorrupt where two entries have the tag.
Result<Descriptor> SelectLayoutEntry(const Index& index, const Reference& reference);

// index.json with `entry` under `tag` (empty: under none), in the place of what was there under it. All else, keys that
// nobody here knows included, stays. `old_text` may be empty.
Result<std::string> WithLayoutEntry(std::string_view old_text, Descriptor entry, std::string_view tag);

}  // namespace hostapp
