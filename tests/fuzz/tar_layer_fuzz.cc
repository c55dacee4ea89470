// SPDX-License-Identifier: Apache-2.0
// A layer, packed or plain, as it is and with its checksums made right: the strict reader, the rules for members, and
// the writer on what the reader accepts.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "hostapp/layer/compression.h"
#include "hostapp/layer/layer_rules.h"
#include "hostapp/layer/tar_writer.h"
#include "tests/fuzz/selected.h"
#include "tests/fuzz/tar_checksums.h"
#include "tests/support/byte_streams.h"

namespace hostapp {
namespace {

using fuzz::Require;
using testing::TextSource;

constexpr uint64_t kMaxOutput = 1 << 20;

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

// A file, of which content can be passed over.
class Seekable : public TextSource {
 public:
  explicit Seekable(const std::string& text) : TextSource(text, 700), left_(text.size()) {}
  Result<size_t> Read(MutableByteSpan buffer) override {
    ASSIGN_OR_RETURN(const size_t got, TextSource::Read(buffer));
    left_ -= got;
    return got;
  }
  Result<uint64_t> Skip(uint64_t size) override {
    std::string passed(std::min<uint64_t>(size, left_ / 2), '\0');
    return Read(std::as_writable_bytes(std::span(passed)));
  }

 private:
  uint64_t left_;
};

// The members' names, and at the end whether the reader was content; `buffer`: what content is read with, 0: it is not.
std::vector<std::string> NamesIn(ByteSource& source, size_t buffer) {
  TarReader reader(source, {.max_total_bytes = kMaxOutput});
  std::vector<std::string> names;
  std::vector<std::byte> content(buffer);
  for (;;) {
    const auto entry = reader.Next();
    if (!entry.ok() || !entry->has_value()) {
      names.emplace_back(entry.ok() ? "whole" : "damaged");
      return names;
    }
    names.push_back((*entry)->path);
    while (buffer > 0) {
      const auto got = reader.ReadContent(content);
      if (!got.ok() || *got == 0) break;
    }
  }
}

// However it is read, the same members.
void CheckWays(const std::string& tar) {
  TextSource pieces(tar, 700), whole(tar);
  Seekable file(tar);
  const auto names = NamesIn(pieces, 300);
  Require(names == NamesIn(whole, size_t{128} << 10));
  TextSource again(tar, 1000);
  Require(names == NamesIn(again, 0) && names == NamesIn(file, 0));
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
  if (size <= kMaxOutput) CheckTar(fuzz::WithChecksums(bytes));
  if (size <= kMaxOutput) CheckWays(fuzz::WithChecksums(bytes));
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    TextSource source(bytes, 500);
    const auto plain = Decompress(compression, source, kMaxOutput);
    if (!plain.ok()) continue;
    const auto tar = testing::ReadAll(**plain);
    if (tar.ok()) CheckTar(*tar);
  }
  return 0;
}
