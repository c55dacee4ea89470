// SPDX-License-Identifier: Apache-2.0
// gzip (RFC 1952) and zstd (RFC 8878) streams, bounded.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "hostapp/layer/tar_reader.h"

namespace hostapp {

enum class Compression { kNone, kGzip, kZstd };

// What a layer's media type says: OCI's and Docker's, with the old ".nondistributable" ones. kCorrupt for another type.
Result<Compression> CompressionOfMediaType(std::string_view media_type);

inline constexpr int kMaxZstdWindowLog = 27;  // 128 MiB

// The decompressed stream of `input` (which it does not own). The first bytes must be what `compression` says. Several
// gzip members or zstd frames in a row are one stream; skippable frames are skipped; a truncated stream, a wrong check
// sum, anything behind the end, a window over the limit: kCorrupt. More than `max_output` bytes: kCorrupt.
Result<std::unique_ptr<ByteSource>> Decompress(Compression compression, ByteSource& input, uint64_t max_output);

// Writes the compressed form of what it is given to `output` (which it does not own). The same input, level and library
// version give the same bytes. Finish() writes the end. With `workers` (zstd only) that many threads compress beside
// the caller (level 6: 11 MiB of memory with none, 29 with one, 44 with two, 65 with four); the bytes are the same for
// any number of them, but others than with none.
class CompressingSink : public ByteSink {
 public:
  virtual Status Finish() = 0;
};
Result<std::unique_ptr<CompressingSink>> Compress(Compression compression, int level, ByteSink& output,
                                                  int workers = 0);

}  // namespace hostapp
