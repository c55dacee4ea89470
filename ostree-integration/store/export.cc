// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/store/export.h"

#include <sys/stat.h>
#include <unistd.h>

#include "hostapp/base/durable.h"
#include "hostapp/layer/compression.h"
#include "ostree-integration/store/import_layer.h"

namespace hostapp {
namespace {

constexpr size_t kExportChunk = size_t{256} << 10;

class TextSource : public ByteSource {
 public:
  explicit TextSource(std::string_view text) : text_(text) {}
  Result<size_t> Read(MutableByteSpan buffer) override {
    const size_t count = std::min(buffer.size(), text_.size());
    std::memcpy(buffer.data(), text_.data(), count);
    text_.remove_prefix(count);
    return count;
  }

 private:
  std::string_view text_;
};

// Framing and contents, put together again; hashes what it hands on.
class Exporter {
 public:
  Exporter(const ImageStore& store, const LayerIndex& index, ByteSink& sink, OpContext& ctx)
      : store_(store),
        index_(index),
        sink_(sink),
        ctx_(ctx),
        hasher_(index.diff_id.algorithm()),
        buffer_(kExportChunk) {}
  Status Run();

 private:
  Status Hand(ByteSpan bytes) {
    hasher_.Update(bytes);
    return sink_.Write(bytes);
  }
  Status CopyFraming(ByteSource& framing, uint64_t up_to);
  Status CopyContent(const TarContent& content);

  const ImageStore& store_;
  const LayerIndex& index_;
  ByteSink& sink_;
  OpContext& ctx_;
  Hasher hasher_;
  std::vector<std::byte> buffer_;
  uint64_t framing_at_ = 0;
};

Status Exporter::CopyFraming(ByteSource& framing, uint64_t up_to) {
  while (framing_at_ < up_to) {
    const size_t want = static_cast<size_t>(std::min<uint64_t>(buffer_.size(), up_to - framing_at_));
    ASSIGN_OR_RETURN(const size_t got, framing.Read(MutableByteSpan(buffer_).first(want)));
    if (got == 0) return Error(Errc::kCorrupt, "the framing in its index is too short");
    TRY(Hand(ByteSpan(buffer_).first(got)));
    framing_at_ += got;
  }
  return Ok();
}

Status Exporter::CopyContent(const TarContent& content) {
  const std::string path = ObjectPath(content.object, "file");
  const auto file = OpenRegular(store_.impl().objects.get(), path);
  if (!file.ok()) {
    return Error(Errc::kCorrupt, StrCat("the object ", path, " is missing or no file; a repair mends it"));
  }
  uint64_t left = content.size;
  while (left > 0) {
    TRY(ctx_.cancel.Check());
    const ssize_t got = ::read(file->get(), buffer_.data(), std::min<uint64_t>(buffer_.size(), left));
    if (got < 0) return SysError(errno, StrCat("reading the object ", path));
    if (got == 0) return Error(Errc::kCorrupt, StrCat("the object ", path, " is too short; a repair mends it"));
    TRY(Hand(ByteSpan(buffer_).first(static_cast<size_t>(got))));
    left -= static_cast<uint64_t>(got);
  }
  return Ok();
}

Status Exporter::Run() {
  TextSource compressed(index_.framing);
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> framing,
                   Decompress(Compression::kZstd, compressed, index_.framing_bytes));
  for (const TarContent& content : TarContents(index_)) {
    TRY(CopyFraming(*framing, content.framing_offset));
    TRY(CopyContent(content));
  }
  TRY(CopyFraming(*framing, index_.framing_bytes));
  const Digest got(hasher_.Finish());
  if (got == index_.diff_id) return Ok();
  return Error(Errc::kCorrupt, StrCat("put together again it is ", got.ToString(), ": an object of it is damaged"));
}

}  // namespace

Status ExportLayer(const ImageStore& store, const Digest& diff_id, ByteSink& sink, OpContext& ctx) {
  ASSIGN_OR_RETURN(const LayerIndex index, LoadLayerIndex(store, diff_id));
  return Exporter(store, index, sink, ctx).Run().While("exporting layer ", diff_id.ToString());
}

}  // namespace hostapp
