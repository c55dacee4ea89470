// SPDX-License-Identifier: Apache-2.0
// The layer index: what is accepted is what the encoder writes of it, to the byte. A fuzzer does not count: the second
// time the size in the header is right.
#include <string>

#include "hostapp/base/sinks.h"
#include "ostree-integration/store/layer_index.h"
#include "ostree-integration/store/layer_index_encoder.h"
#include "ostree-integration/store/layer_index_format.h"
#include "tests/fuzz/selected.h"

namespace hostapp {
namespace {

using fuzz::Require;
using namespace layer_index;  // NOLINT: the format that is spoken of

// Where the header has the size of all of it (docs/formats-store.md).
constexpr size_t kTotalAt = 80;

std::string Repaired(std::string bytes) {
  if (bytes.size() < kHeaderSize) return bytes;
  for (size_t i = 0; i < 8; ++i) bytes[kTotalAt + i] = static_cast<char>(uint64_t{bytes.size()} >> (8 * i));
  return bytes;
}

// In pieces and at once, with the same answer; what cannot be read is not called damaged.
Result<LayerIndex> Parse(const std::string& bytes) {
  uint64_t reads = 0;
  const ReadIndex read = [&](uint64_t offset, MutableByteSpan to) -> Status {
    Require(offset <= bytes.size() && to.size() <= bytes.size() - offset);
    ++reads;
    std::ranges::copy(AsBytes(bytes).subspan(offset, to.size()), to.begin());
    return Ok();
  };
  Result<LayerIndex> parsed = ParseLayerIndex(bytes.size(), read);
  Require(ParseLayerIndex(AsBytes(bytes)).ok() == parsed.ok());
  if (reads > 0) {
    const auto failed = ParseLayerIndex(
        bytes.size(), [](uint64_t, MutableByteSpan) -> Status { return Error(Errc::kIo, "the disk is gone"); });
    Require(!failed.ok() && failed.error().code() == Errc::kIo);
  }
  return parsed;
}

void CheckNode(const Node& node) {
  for (const auto& [name, child] : node.children) {
    Require(node.is_dir() && !name.empty() && name != "." && name != ".." && name.size() <= 255);
    Require(name.find('/') == name.npos && name.find('\0') == name.npos);
    CheckNode(child);
  }
}

void CheckIndex(const std::string& bytes) {
  const Result<LayerIndex> index = Parse(bytes);
  if (!index.ok()) {
    Require(index.error().code() == Errc::kCorrupt);
    return;
  }
  CheckNode(index->root);
  (void)ContentBytes(index->root);
  uint64_t content = 0;
  for (const TarContent& one : TarContents(*index)) content += one.size;
  Require(content + index->framing_bytes == index->tar_bytes);
  const Result<LayerIndexEncoder> encoder = LayerIndexEncoder::Make(*index);
  Require(encoder.ok() && encoder->size() == bytes.size());
  StringSink out;
  Require(encoder->Write(out).ok() && out.text == bytes);
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  hostapp::CheckIndex(bytes);
  hostapp::CheckIndex(hostapp::Repaired(bytes));
  return 0;
}
