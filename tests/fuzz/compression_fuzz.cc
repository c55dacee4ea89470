// SPDX-License-Identifier: Apache-2.0
// A compressed stream, read in pieces of any size with one outcome, and gzip beside zlib's reading of it: where both
// accept it, they must agree.
#include <zlib.h>

#include <cstdint>
#include <optional>
#include <string>

#include "hostapp/layer/compression.h"
#include "hostapp/oci/descriptor.h"
#include "tests/fuzz/selected.h"
#include "tests/support/byte_streams.h"

namespace hostapp {
namespace {

using fuzz::Require;
using testing::ReadAll;
using testing::TextSource;

constexpr size_t kMaxOutput = 1 << 17;

// Members in a row until the end of `bytes`; nothing where zlib finds a fault or there is too much.
std::optional<std::string> ByZlib(std::string bytes) {
  z_stream stream{};
  Require(inflateInit2(&stream, MAX_WBITS + 16) == Z_OK);
  std::string out(kMaxOutput + 1, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  int result = inflate(&stream, Z_FINISH);
  while (result == Z_STREAM_END && stream.avail_in > 0) {
    inflateReset(&stream);
    result = inflate(&stream, Z_FINISH);
  }
  out.resize(out.size() - stream.avail_out);
  inflateEnd(&stream);
  if (result != Z_STREAM_END || out.size() > kMaxOutput) return std::nullopt;
  return out;
}

std::optional<std::string> ByUs(Compression compression, const std::string& bytes, size_t input_piece,
                                size_t output_piece) {
  TextSource source(bytes, input_piece);
  const auto stream = Decompress(compression, source, kMaxOutput);
  const Result<std::string> out = stream.ok() ? ReadAll(**stream, output_piece) : stream.error();
  if (!out.ok()) {
    Require(out.error().code() == Errc::kCorrupt);
    return std::nullopt;
  }
  Require(out->size() <= kMaxOutput);
  return *out;
}

void CheckStream(const std::string& bytes) {
  for (const Compression compression : {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    const auto ours = ByUs(compression, bytes, SIZE_MAX, 65536);
    Require(ours == ByUs(compression, bytes, 1, 7));  // However it comes and goes.
    if (compression == Compression::kNone && ours) Require(*ours == bytes);
    if (compression != Compression::kGzip || !ours) continue;
    const auto theirs = ByZlib(bytes);
    if (theirs) Require(*ours == *theirs);
  }
}

// What a layer's media type says of it, and nothing for any other type.
void CheckMediaType(std::string_view text) {
  const auto compression = CompressionOfMediaType(text);
  Require(compression.ok() == IsLayerMediaType(text));
  if (!compression.ok()) Require(compression.error().code() == Errc::kCorrupt);
  if (compression.ok()) Require((*compression == Compression::kGzip) == text.ends_with("gzip"));
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  hostapp::CheckStream(bytes);
  hostapp::CheckMediaType(bytes);
  return 0;
}
