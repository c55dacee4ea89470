// SPDX-License-Identifier: Apache-2.0
// Where images come from and go to, whatever the transport.
#pragma once

#include <cstdint>
#include <optional>

#include "hostapp/base/bytes.h"
#include "hostapp/base/op_context.h"
#include "hostapp/base/unique_fd.h"
#include "hostapp/oci/manifest.h"
#include "hostapp/oci/reference.h"

namespace hostapp {

// Bytes of blobs. Nothing that it sends has been verified: SpoolBlob() and FetchSmallBlob() do that.
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  // Sends the blob's bytes from `offset` (at most its size) to its end. Stops with an error as soon as the other side
  // sends more than the descriptor's size. Thread-safe: several blobs may be fetched at once.
  // kNotFound, kUnauthorized, kUnavailable (after the transport's own retries), or the sink's error.
  virtual Status Fetch(const Descriptor& blob, uint64_t offset, ByteSink& sink, OpContext& ctx) = 0;
};

// One image by its reference.
class ImageSource : public BlobSource {
 public:
  // The document that the reference names: one request where the transport has requests.
  virtual Result<Document> FetchTop(OpContext& ctx) = 0;
  // A manifest named by a descriptor of an index; verified against its digest and size.
  virtual Result<Document> FetchManifest(const Descriptor& descriptor, OpContext& ctx) = 0;
};

class ImageDestination {
 public:
  virtual ~ImageDestination() = default;
  virtual Result<bool> HasBlob(const Descriptor& blob, OpContext& ctx) = 0;
  // Offers the blob from a place where the other side may have it already (a registry: mount from another repository of
  // its). True: done, nothing need be sent.
  virtual Result<bool> TryReuseBlob(const Descriptor& blob, OpContext& ctx) = 0;
  // `file`: open for reading, position free to move; verified by the caller.
  virtual Status PutBlob(const Descriptor& blob, int file, OpContext& ctx) = 0;
  // By its digest, or with `tagged` also under the destination's tag. All that it refers to must be there.
  enum class Tagged { kNo, kYes };
  virtual Status PutManifest(const Document& document, Tagged tagged, OpContext& ctx) = 0;
  // Last of all: makes what was put visible and durable (archives and layout directories write their index here).
  virtual Status Commit(OpContext& ctx) = 0;
};

// A resolved image: the manifest for one platform and its config, both verified.
struct ResolvedImage {
  Manifest manifest;
  Digest top_digest;  // of the document that the reference names: the index's, where there is one
};

// Reference → manifest for `platform`: through at most kMaxIndexDepth indexes. Checks a digest in `reference`.
Result<ResolvedImage> ResolveImage(const Reference& reference, ImageSource& source, const Platform& platform,
                                   OpContext& ctx);

// A whole small blob (a config) of at most `max_bytes`, size and digest verified.
Result<std::string> FetchSmallBlob(const Descriptor& blob, uint64_t max_bytes, BlobSource& source, OpContext& ctx);

struct SpooledBlob {
  UniqueFd file;            // open for reading and writing, at offset 0, complete and verified
  std::string name;         // of the file in the spool folder
  uint64_t downloaded = 0;  // bytes that came now; the rest was there from an interrupted run
};

// The name of a blob's spool file, "<algorithm>-<hex>.part".
std::string SpoolName(const Digest& blob);

// Fetches a blob into a file of its own in the folder `spool_dir` (SpoolName()), hashing while it arrives,
// and checks size and digest before it says ok. Goes on where an interrupted run stopped; what is there is hashed
// again, and thrown away if it turns out wrong (once, then kCorrupt). The caller removes the file when it needs it no
// more; a crash leaves it for the next run.
Result<SpooledBlob> SpoolBlob(int spool_dir, const Descriptor& blob, BlobSource& source, OpContext& ctx);

}  // namespace hostapp
