// SPDX-License-Identifier: Apache-2.0
// An archive of an image layout, from a stick or a mail: what is resolved in it has the digest that it is called by.
//
// A fuzzer guesses no digests. Either an input is a tar, whose checksums are made right; or, with an 'l' in front, it
// is texts with a line "--" between them: index.json and then blobs. In each, "@3" stands for the digest of the third
// one, which has to come later.
#include <sys/mman.h>
#include <unistd.h>

#include <set>
#include <string>
#include <vector>

#include "hostapp/base/sinks.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/oci_archive.h"
#include "hostapp/oci/image_config.h"
#include "hostapp/oci/layout.h"
#include "tests/fuzz/selected.h"
#include "tests/fuzz/tar_checksums.h"
#include "tests/support/tar_bytes.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using fuzz::Require;

std::string Replaced(std::string text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

std::vector<std::string> Parts(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const std::string_view line : Split(text, '\n')) {
    if (line == "--" && parts.size() < 9) {
      parts.emplace_back();
    } else {
      parts.back() += StrCat(parts.back().empty() ? "" : "\n", line);
    }
  }
  return parts;
}

// With the digests in them.
std::vector<std::string> TextsOf(std::string_view text) {
  std::vector<std::string> texts = Parts(text);
  for (size_t i = texts.size(); i-- > 0;) {
    for (size_t later = i + 1; later < texts.size(); ++later)
      texts[i] = Replaced(texts[i], StrCat("@", later + 1), Digest::Of(AsBytes(texts[later])).ToString());
  }
  return texts;
}

std::string LayoutOf(const std::vector<std::string>& texts) {
  testing::TarBytes tar;
  tar.File("oci-layout", R"({"imageLayoutVersion": "1.0.0"})");
  std::set<std::string> names;
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string name = i == 0 ? "index.json" : StrCat("blobs/sha256/", Digest::Of(AsBytes(texts[i])).Hex());
    if (names.insert(name).second) tar.File(name, texts[i]);
  }
  return tar.End();
}

// A registry that answers whatever it is asked with its next text.
class Liar : public ImageSource {
 public:
  explicit Liar(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  Result<Document> FetchTop(OpContext& ctx) override {
    return FetchManifest(Descriptor{.digest = Digest(HashValue())}, ctx);
  }
  Result<Document> FetchManifest(const Descriptor&, OpContext&) override {
    if (next_ == texts_.size()) return Error(Errc::kNotFound, "it says no more");
    return Document{.media_type = {}, .bytes = texts_[next_++]};
  }
  Status Fetch(const Descriptor&, uint64_t, ByteSink&, OpContext&) override {
    return Error(Errc::kNotFound, "no blobs");
  }

 private:
  std::vector<std::string> texts_;
  size_t next_ = 0;
};

void CheckImage(const Reference& reference, ImageSource& source, OpContext& ctx) {
  const auto image = ResolveImage(reference, source, HostPlatform(), ctx);
  if (!image.ok()) return;
  const Manifest& manifest = image->manifest;
  Require(HashOf(AsBytes(manifest.document.bytes), manifest.digest.algorithm()) == manifest.digest.value());
  const auto config = FetchSmallBlob(manifest.config, kMaxConfigBytes, source, ctx);
  if (config.ok()) {
    Require(HashOf(AsBytes(*config), manifest.config.digest.algorithm()) == manifest.config.digest.value());
    (void)ParseImageConfig(*config, manifest.layers.size());
  }
  for (const Descriptor& layer : manifest.layers) {
    StringSink sink;
    if (source.Fetch(layer, std::min<uint64_t>(layer.size, 1), sink, ctx).ok())
      Require(sink.text.size() == layer.size - std::min<uint64_t>(layer.size, 1));
  }
}

void CheckLiar(const std::vector<std::string>& texts) {
  static testing::TestContext context;
  const Reference plain{.host = "registry.example", .repository = "team/os"};
  Reference named = plain;
  named.digest = Digest::Of(AsBytes(texts.back()));
  for (const Reference& reference : {plain, named}) {
    Liar liar(texts);
    const auto image = ResolveImage(reference, liar, HostPlatform(), context.ctx);
    if (!image.ok()) continue;
    const Manifest& manifest = image->manifest;
    Require(HashOf(AsBytes(manifest.document.bytes), manifest.digest.algorithm()) == manifest.digest.value());
    if (reference.digest) Require(image->top_digest == *reference.digest);
  }
}

void CheckArchive(const std::string& bytes) {
  static const int file = ::memfd_create("archive", MFD_CLOEXEC);
  static testing::TestContext context;
  Require(::ftruncate(file, 0) == 0);
  Require(::pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  Reference reference{.transport = Reference::Transport::kArchive};
  reference.path = StrCat("/proc/self/fd/", file);
  const auto with_digest = [&](std::string_view text) {
    Reference other = reference;
    other.digest = Digest::Of(AsBytes(text));
    return other;
  };
  Reference tagged = reference;
  tagged.tag = "v1";
  for (const Reference& one : {reference, tagged, with_digest("manifest")}) {
    const auto source = OpenArchive(one, context.ctx);
    if (source.ok()) CheckImage(one, **source, context.ctx);
    if (!source.ok()) Require(source.error().code() == Errc::kCorrupt || source.error().code() == Errc::kNotFound);
  }
}

}  // namespace
}  // namespace hostapp

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hostapp;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (bytes.starts_with('l')) {
    const std::vector<std::string> texts = TextsOf(bytes.substr(1));
    CheckLiar(texts);
    CheckArchive(LayoutOf(texts));
  } else {
    CheckArchive(fuzz::WithChecksums(std::string(bytes)));
  }
  return 0;
}
