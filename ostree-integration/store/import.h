// SPDX-License-Identifier: Apache-2.0
// From an image's blobs to verified layers in the store, each file once.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "hostapp/oci/annotations.h"
#include "hostapp/oci/blob.h"
#include "ostree-integration/store/image_store.h"

namespace hostapp {

// What an import would do. Pure in what the store and the manifest say; nothing is fetched.
struct ImportPlan {
  struct Layer {
    Digest diff_id;
    Descriptor blob;
  };
  std::vector<Layer> missing;   // each once, lowest first
  uint64_t layers = 0;          // of the image, counted once each
  uint64_t download_bytes = 0;  // of the missing layers, compressed; less when a spool file is there already
  uint64_t need_bytes = 0;      // at most this much is written to the store's file system, spool files included
  uint64_t need_inodes = 0;     // estimate from above of new files and folders
};

// need_bytes: spool (compressed) plus uncompressed bytes. What a layer unpacks to is known from its annotation
// (kUncompressedSizeAnnotation) where there is one, from its size where it is not compressed, and otherwise
// taken to be kAssumedRatio times its compressed size. need_inodes: kEntriesAnnotation, otherwise
// one a kAssumedFileBytes of uncompressed size. The layer import itself stops cleanly (kNoSpace, store as before) where
// a layer turns out larger than what is free.
inline constexpr uint64_t kAssumedRatio = 4;
inline constexpr uint64_t kAssumedFileBytes = 8192;

// A layer whose ref is damaged is missing: its import writes the ref again.
Result<ImportPlan> PlanImport(const ImageStore& store, const Manifest& manifest, const ImageConfig& config);
// kNoSpace, with what is needed and what there is, when the plan does not fit on the store's file system.
Status CheckSpace(const ImageStore& store, const ImportPlan& plan, OpContext& ctx);

struct DroppedPath {
  std::string path;
  std::string reason;  // "device node", "below /run", …
};

struct ImportReport {
  static constexpr size_t kMaxDroppedNames = 100;

  std::set<Digest> imported;      // diff_ids
  uint64_t layers_reused = 0;     // were in the store
  uint64_t downloaded_bytes = 0;  // compressed, now
  uint64_t reused_bytes = 0;      // content that the store had: of single files, and, from MergeImage(), of layers
  uint64_t written_bytes = 0;     // content that it had not
  uint64_t objects_written = 0;   // files and links
  uint64_t objects_reused = 0;
  uint64_t dropped_count = 0;
  std::vector<DroppedPath> dropped;  // the first kMaxDroppedNames; MergeImage() adds those of layers that were there
};

// Brings every layer of the image that is missing into the store. Layers are fetched (several at once) while others are
// imported; each blob is parsed only after its size and digest have been verified, and its ref is written only after
// its diff_id and every rule for its members matched. With ctx.jobs above 1 one thread decompresses and others hash and
// write; the result is the same.
//
// Commit point of each layer: its ref; those of several small layers are written together. A crash before leaves
// unreferenced objects and spool files at most; the same import again resumes and writes the same objects. Any error
// stops all layers; those that were whole before it stay.
// Errors: kCorrupt names layer, member and rule; what the source returns; kNoSpace, kIo, kCancelled.
// One import at a time: another process importing is waited for.
Result<ImportReport> ImportImage(ImageStore& store, const Manifest& manifest, const ImageConfig& config,
                                 BlobSource& source, OpContext& ctx);

}  // namespace hostapp
