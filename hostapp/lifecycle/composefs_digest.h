// SPDX-License-Identifier: Apache-2.0
// `hostapp-image composefs-digest`: what a device will compare before it mounts a tree, known where a release is made.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "hostapp/base/hash.h"
#include "hostapp/base/op_context.h"
#include "hostapp/oci/blob.h"

namespace hostapp {

struct ComposefsDigest {
  std::optional<Digest> manifest_digest;  // of the image; nothing: the tree was written down
  HashValue digest;                       // fs-verity: SHA-256, blocks of 4096 bytes, no salt
  uint32_t format = 0;                    // composefs's, 0 or 1
  uint64_t bytes = 0;                     // of the composefs image
};

// Of the root.cfs that a deployment of the image has. The image is imported, with all that a device verifies, into a
// store of its own in TempParent(), which takes as much room as the unpacked image and is gone at the end. Needs no
// privilege. Errors: what the source, ImportImage(), MergeImage() and ImageTree::WriteRootImage() return.
Result<ComposefsDigest> DigestOfImage(const Reference& reference, ImageSource& source, OpContext& ctx);

// Of the tree that the file says (composefs-dump(5)); "-": standard input. `format`: 0 or 1; nothing: the oldest that
// says all of the tree. kInvalid: the file is longer than kMaxDumpBytes; kCorrupt: what composefs::ReadDump() and
// WriteImage() refuse; kNotFound, kIo.
inline constexpr uint64_t kMaxDumpBytes = uint64_t{4} << 30;
Result<ComposefsDigest> DigestOfDump(const std::string& file, std::optional<int> format);

}  // namespace hostapp
