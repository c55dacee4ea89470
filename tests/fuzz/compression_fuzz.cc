// SPDX-License-Identifier: Apache-2.0
// A gzip stream, read beside zlib's reading of it: where both accept it, they must agree.
#include <zlib.h>

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

#include "hostapp/layer/compression.h"
#include "tests/support/byte_streams.h"

namespace hostapp {
namespace {

using testing::ReadAll;
using testing::TextSource;

constexpr size_t kMaxOutput = 1 << 17;

// Members in a row until the end of `bytes`; nothing where zlib finds a fault or there is too much.
std::optional<std::string> ByZlib(std::string bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) abort();
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

std::optional<std::string> ByUs(const std::string& bytes, size_t input_piece, size_t output_piece) {
  TextSource source(bytes, input_piece);
  const auto stream = Decompress(Compression::kGzip, source, kMaxOutput);
  if (!stream.ok()) return std::nullopt;
  const Result<std::string> out = ReadAll(**stream, output_piece);
  if (!out.ok()) return std::nullopt;
  return *out;
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto ours = hostapp::ByUs(bytes, SIZE_MAX, 65536);
  if (ours != hostapp::ByUs(bytes, 1, 7)) abort();  // However it comes and goes.
  const auto theirs = hostapp::ByZlib(bytes);
  if (ours && theirs && *ours != *theirs) abort();
  return 0;
}
