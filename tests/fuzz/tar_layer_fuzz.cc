// SPDX-License-Identifier: Apache-2.0
// A layer, packed or plain: the strict reader, the rules for members, and the writer on what the reader accepts.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "hostapp/layer/compression.h"
#include "hostapp/layer/layer_rules.h"
#include "hostapp/layer/tar_writer.h"
#include "tests/support/byte_streams.h"

namespace hostapp {
namespace {

using testing::TextSource;

constexpr uint64_t kMaxOutput = 1 << 20;

void Require(bool condition) {
  if (!condition) abort();
}

// What the reader accepted is written, and read back the same.
void CheckWriter(const TarEntry& entry) {
  StringSink sink;
  TarWriter writer(sink);
  Require(writer.Add(entry).ok());
  TextSource source(sink.text);
  TarReader reader(source, {});
  const auto back = reader.Next();
  Require(back.ok() && back->has_value());
  Require((*back)->path == entry.path && (*back)->type == entry.type && (*back)->mode == entry.mode);
  Require((*back)->uid == entry.uid && (*back)->gid == entry.gid && (*back)->size == entry.size);
  Require((*back)->mtime == entry.mtime && (*back)->link_target == entry.link_target);
  Require((*back)->xattrs == entry.xattrs);
}

void CheckEntry(const TarEntry& entry) {
  Require(!entry.path.starts_with('/') && !entry.path.ends_with('/') && entry.path.find('\0') == std::string::npos);
  Require(("/" + entry.path + "/").find("/../") == std::string::npos);
  const auto whiteout = ClassifyWhiteout(entry);
  if (whiteout.ok() && whiteout->kind == Whiteout::Kind::kHide) Require(!whiteout->path.empty());
  (void)CheckHostEntry(entry);
  (void)ReasonToDrop(entry);
  const auto xattrs = FilterXattrs(entry);
  if (xattrs.ok()) Require(xattrs->kept.size() + xattrs->dropped.size() == entry.xattrs.size());
  CheckWriter(entry);
}

// Accepted or not, framing and content are a prefix of the input, and all of it where it was accepted.
void CheckTar(const std::string& tar) {
  TextSource source(tar, 700);
  std::string rebuilt;
  TarReader reader(source, {.max_total_bytes = kMaxOutput}, [&](ByteSpan bytes) { rebuilt.append(AsText(bytes)); });
  for (;;) {
    const auto entry = reader.Next();
    if (!entry.ok()) Require(entry.error().code() == Errc::kCorrupt);
    if (!entry.ok() || !entry->has_value()) {
      if (entry.ok()) Require(rebuilt == tar);
      return;
    }
    CheckEntry(**entry);
    std::byte buffer[300];
    for (;;) {
      const auto got = reader.ReadContent(buffer);
      if (!got.ok()) return;
      if (*got == 0) break;
      rebuilt.append(AsText(ByteSpan(buffer).first(*got)));
    }
    Require(tar.starts_with(rebuilt));
  }
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  if (size <= kMaxOutput) CheckTar(bytes);
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    TextSource source(bytes, 500);
    const auto plain = Decompress(compression, source, kMaxOutput);
    if (!plain.ok()) continue;
    const auto tar = testing::ReadAll(**plain);
    if (tar.ok()) CheckTar(*tar);
  }
  return 0;
}
