// SPDX-License-Identifier: Apache-2.0
// The layer index: what is accepted is what the encoder writes of it, to the byte. A fuzzer does not add up sections:
// every other input gets the sizes in its header made right.
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

// Where the header has its numbers (docs/formats-store.md).
constexpr size_t kTotalAt = 80, kCountsAt = 88, kTextAt = 120, kFramingAt = 128;

uint64_t Get(std::string_view bytes, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

void Set(std::string& bytes, size_t at, size_t size, uint64_t value) {
  for (size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
}

// What is not counted as records or text is framing.
std::string Repaired(std::string bytes) {
  constexpr size_t kRecordBytes[] = {kInodeSize, kEntrySize, kXattrSize, kMemberSize, kDroppedSize};
  if (bytes.size() < kHeaderSize) return bytes;
  uint64_t left = bytes.size() - kHeaderSize;
  size_t at = kCountsAt;
  for (const size_t record : kRecordBytes) {
    const uint64_t count = std::min<uint64_t>(Get(bytes, at, 4), left / record);
    Set(bytes, at, 4, count);
    left -= count * record;
    at += 4;
  }
  const uint64_t text = std::min(Get(bytes, kTextAt, 8), left);
  Set(bytes, kTotalAt, 8, bytes.size());
  Set(bytes, kTextAt, 8, text);
  Set(bytes, kFramingAt, 8, left - text);
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
  for (const LayerIndex::Member& member : index->members) content += member.size;
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
