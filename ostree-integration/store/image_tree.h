// SPDX-License-Identifier: Apache-2.0
// The tree that an image is deployed as, and the one file that can stand for it: a composefs image.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hostapp/base/bytes.h"
#include "hostapp/base/hash.h"
#include "ostree-integration/store/image_store.h"
#include "ostree-integration/store/object_id.h"

namespace hostapp {

struct Node;

struct RootImage {
  HashValue digest;     // fs-verity: stands for the whole tree with everything in it
  uint64_t bytes = 0;   // a multiple of 4096
  uint32_t format = 0;  // composefs's, 0 or 1
};

// One object of a tree, however many names it has.
struct ObjectSize {
  Sha256 object{};
  uint64_t size = 0;  // bytes of content; of a link 0
};

// The tree that MergeImage() makes, with what OSTree's trees have no place for: the image's own mtimes, and which names
// are links of one file. From the layers' indexes; a pure function of the image.
class ImageTree {
 public:
  // kNotFound: the image or one of its layers is not in the store; kCorrupt: what MergeImage() refuses. The store
  // outlives the tree.
  static Result<ImageTree> Load(const ImageStore& store, const Digest& manifest_digest, OpContext& ctx);

  // Why no composefs image can stand for the tree, as what the image has ("/ab, a name that a composefs root needs
  // itself"); empty: one can.
  const std::string& ObstacleToRootImage() const { return obstacle_; }

  // Files are where `ostree/repo/objects` has them; content of up to 64 bytes is in the image itself
  // (docs/formats-composefs.md). Every device writes the same bytes.
  // kNotFound: a short file is not in the store; kCorrupt: a short file that is damaged, an ObstacleToRootImage();
  // those of `out`, after which what it has is no image. Durability is the caller's.
  Result<RootImage> WriteRootImage(ByteSink& out, OpContext& ctx) const;

  // Valid while this lives. Below() finds what is in it.
  const Node& root() const { return *root_; }

  // Every object once, by its id.
  std::vector<ObjectSize> Objects() const;

 private:
  ImageTree(const ImageStore& store, const Digest& manifest_digest, std::shared_ptr<const Node> root,
            std::string obstacle)
      : store_(&store), manifest_digest_(manifest_digest), root_(std::move(root)), obstacle_(std::move(obstacle)) {}

  const ImageStore* store_;
  Digest manifest_digest_;
  std::shared_ptr<const Node> root_;
  std::string obstacle_;
};

}  // namespace hostapp
