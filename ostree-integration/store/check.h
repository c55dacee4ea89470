// SPDX-License-Identifier: Apache-2.0
// Verifying the store, and mending it from an image's source.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hostapp/oci/blob.h"
#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/import.h"

namespace hostapp {

struct StoreProblem {
  enum class Kind { kMissingObject, kDamagedObject, kDamagedRef, kMissingRef, kDamagedIndex };

  Kind kind = Kind::kMissingObject;
  std::string object;             // "<checksum>.file", ".dirtree", ".dirmeta", ".commit"; empty for a ref
  std::string what;               // one line: path below the ref, what is wrong
  std::vector<std::string> refs;  // that need it, sorted
};

// "missing-object", "damaged-object", "damaged-ref", "missing-ref", "damaged-index".
std::string_view KindName(StoreProblem::Kind kind);

struct CheckReport {
  uint64_t objects = 0;  // verified
  uint64_t bytes = 0;
  std::vector<StoreProblem> problems;
};

// Verifies every object that a ref reaches against its checksum (content, owner, mode, extended attributes), and parses
// the index of every layer. Problems are not an error of the call; kIo when the store cannot be read at all,
// kCancelled.
Result<CheckReport> CheckStore(const ImageStore& store, OpContext& ctx);

// The refs of an image and of its layers that are not there: without them gc would remove what the image needs. Where
// the image's own is not, its layers are not known. kCorrupt: the image cannot be read, which CheckStore() says better.
Result<std::vector<StoreProblem>> FindMissingRefs(const ImageStore& store, const Digest& manifest_digest);

struct RepairReport {
  ImportReport import;
  bool merged = false;
};

// Mends what `problems` has against the layers of this image and its tree: imports the layers again that need what is
// damaged, and merges again. The image's own content decides: run CheckStore() after.
// Nothing is removed: a damaged object or ref keeps its name until one that is whole and on disk replaces it. An error,
// as where the source cannot be reached, or a crash leaves each as it was or mended; the same call goes on.
Result<RepairReport> RepairImage(ImageStore& store, const std::vector<StoreProblem>& problems, const Manifest& manifest,
                                 const ImageConfig& config, BlobSource& source, OpContext& ctx);

}  // namespace hostapp
