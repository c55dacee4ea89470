// SPDX-License-Identifier: Apache-2.0
// The layer index: what a layer has, path by path, and everything of its tar that is not file content. Kept as the file
// `index` in the layer's commit, so that OSTree keeps, checks and collects it with the layer. docs/formats-store.md has
// the format.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "hostapp/oci/digest.h"
#include "ostree-integration/store/inode.h"

namespace hostapp {

inline constexpr uint32_t kLayerIndexVersion = 2;
inline constexpr uint64_t kMaxLayerIndexBytes = uint64_t{1} << 30;

struct LayerIndex {
  // Content of the tar that no path has any more: a later member had the same name.
  struct Replaced {
    uint64_t tar_block = 0;
    uint64_t size = 0;  // not 0
    Sha256 object{};
    bool operator==(const Replaced&) const = default;
  };
  // What a member has that no tree of ours holds.
  enum class Reason : uint32_t { kCharDevice = 1, kBlockDevice = 2, kFifo = 3, kXattr = 4 };
  struct Dropped {
    std::string path;
    Reason reason = Reason::kCharDevice;
    bool operator==(const Dropped&) const = default;
  };

  Digest diff_id{HashValue{}};
  Node root;                       // a folder; whiteout markers are empty files in it
  std::vector<Replaced> replaced;  // in the order of the tar
  std::vector<Dropped> dropped;
  uint64_t tar_bytes = 0;
  uint64_t framing_bytes = 0;  // uncompressed: what of the tar is no file's content
  std::string framing;         // one zstd stream
};

// Fills the buffer with the index's bytes from `offset` on; it is never asked for more than the index has.
using ReadIndex = std::function<Status(uint64_t offset, MutableByteSpan to)>;

// Strict: everything that LayerIndexEncoder would not write is kCorrupt; otherwise errors are those of `read`. Nothing
// but the framing, which is not decompressed, is in memory beside what it becomes.
Result<LayerIndex> ParseLayerIndex(uint64_t size, const ReadIndex& read);
Result<LayerIndex> ParseLayerIndex(ByteSpan bytes);

// Content in the tar: before it comes the framing up to `framing_offset`.
struct TarContent {
  uint64_t framing_offset = 0;
  uint64_t size = 0;
  Sha256 object{};
  bool operator==(const TarContent&) const = default;
};
// All of it, in the order of the tar.
std::vector<TarContent> TarContents(const LayerIndex& index);

// The bytes of content of all files in a tree, hard links once.
uint64_t ContentBytes(const Node& root);

}  // namespace hostapp
