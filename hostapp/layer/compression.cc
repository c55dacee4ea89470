// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/compression.h"

#include <isa-l/igzip_lib.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <vector>

#include "hostapp/base/strings.h"
#include "hostapp/oci/descriptor.h"

namespace hostapp {
namespace {

constexpr size_t kCodecChunk = size_t{128} << 10;
constexpr size_t kMagicBytes = 6;
constexpr size_t kZstdHeaderBytes = 18;  // at most

Error Wrong(std::string_view rule) { return Error(Errc::kCorrupt, std::string(rule)); }

std::string_view NameOf(Compression compression) {
  switch (compression) {
    case Compression::kNone:
      return "uncompressed";
    case Compression::kGzip:
      return "gzip";
    case Compression::kZstd:
      return "zstd";
  }
  return "?";
}

// What the bytes are, by their first ones; "uncompressed" for what is none of the known.
std::string_view Detect(std::string_view bytes) {
  if (bytes.starts_with("\x1f\x8b")) return "gzip";
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return "zstd";
  // A skippable frame: 0x184D2A50 to 0x184D2A5F, little-endian.
  if (bytes.size() >= 4 && (bytes[0] & '\xf0') == '\x50' && bytes.substr(1, 3) == "\x2a\x4d\x18") return "zstd";
  if (bytes.starts_with(std::string_view("\xfd"
                                         "7zXZ\0",
                                         6))) {
    return "xz";
  }
  if (bytes.starts_with("BZh")) return "bzip2";
  return "uncompressed";
}

// Input with a look at what comes.
class Input {
 public:
  explicit Input(ByteSource& source) : source_(source), buffer_(kCodecChunk) {}

  // Makes at least `size` bytes visible, less only at the end.
  Status Want(size_t size) {
    while (end_ - at_ < size && !ended_) {
      std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(at_), buffer_.begin() + static_cast<std::ptrdiff_t>(end_),
                buffer_.begin());
      end_ -= std::exchange(at_, 0);
      ASSIGN_OR_RETURN(const size_t got, source_.Read(MutableByteSpan(buffer_).subspan(end_)));
      ended_ = got == 0;
      end_ += got;
    }
    return Ok();
  }
  ByteSpan Visible() const { return ByteSpan(buffer_).subspan(at_, end_ - at_); }
  void Take(size_t size) { at_ += size; }

 private:
  ByteSource& source_;
  std::vector<std::byte> buffer_;
  size_t at_ = 0, end_ = 0;
  bool ended_ = false;
};

// Counts what comes out. The one byte over the limit is what shows that there is too much.
class BoundedSource : public ByteSource {
 public:
  BoundedSource(ByteSource& source, uint64_t max_output) : input_(source), left_(max_output) {}

  Status CheckMagic(Compression compression) {
    TRY(input_.Want(kMagicBytes));
    const std::string_view found = Detect(AsText(input_.Visible()));
    if (found == NameOf(compression)) return Ok();
    return Wrong(StrCat("the layer is called ", NameOf(compression), ", and its bytes are ", found));
  }

  Result<size_t> Read(MutableByteSpan buffer) override {
    if (buffer.empty()) return size_t{0};
    const uint64_t most = left_ == std::numeric_limits<uint64_t>::max() ? left_ : left_ + 1;
    ASSIGN_OR_RETURN(const size_t got, Produce(buffer.first(std::min<uint64_t>(buffer.size(), most))));
    if (got > left_) return Wrong("more bytes come out than are allowed");
    left_ -= got;
    return got;
  }

 protected:
  // At least one byte, or 0 at the end.
  virtual Result<size_t> Produce(MutableByteSpan buffer) = 0;
  Input& input() { return input_; }

 private:
  Input input_;
  uint64_t left_;
};

class PlainSource : public BoundedSource {
 public:
  using BoundedSource::BoundedSource;

 protected:
  Result<size_t> Produce(MutableByteSpan buffer) override {
    TRY(input().Want(1));
    const ByteSpan bytes = input().Visible();
    const size_t size = std::min(bytes.size(), buffer.size());
    std::copy_n(bytes.begin(), size, buffer.begin());
    input().Take(size);
    return size;
  }
};

std::string_view InflateError(int code) {
  switch (code) {
    case ISAL_INVALID_WRAPPER:
      return "its header breaks RFC 1952";
    case ISAL_UNSUPPORTED_METHOD:
      return "its method is not deflate";
    case ISAL_INCORRECT_CHECKSUM:
      return "its check sum or length is wrong";
    default:
      return "a block breaks RFC 1951";
  }
}

// isa-l's inflate takes a third of zlib's time.
class GzipSource : public BoundedSource {
 public:
  using BoundedSource::BoundedSource;

 protected:
  Result<size_t> Produce(MutableByteSpan buffer) override {
    for (;;) {
      if (between_members_) {
        ASSIGN_OR_RETURN(const bool more, BeginMember());
        if (!more) return size_t{0};
      }
      TRY(input().Want(1));
      const ByteSpan bytes = input().Visible();
      state_->next_in = reinterpret_cast<uint8_t*>(const_cast<std::byte*>(bytes.data()));
      state_->avail_in = static_cast<uint32_t>(bytes.size());
      state_->next_out = reinterpret_cast<uint8_t*>(buffer.data());
      const auto room = static_cast<uint32_t>(std::min<size_t>(buffer.size(), std::numeric_limits<uint32_t>::max()));
      state_->avail_out = room;
      if (const int result = ::isal_inflate(state_.get()); result < 0) {
        return Wrong(StrCat("the gzip stream is damaged: ", InflateError(result)));
      }
      input().Take(bytes.size() - state_->avail_in);
      between_members_ = state_->block_state == ISAL_BLOCK_FINISH;
      if (room > state_->avail_out) return size_t{room - state_->avail_out};
      // What it still holds in its buffers comes out without more input.
      if (bytes.empty() && !between_members_) return Wrong("the gzip stream ends too early");
    }
  }

 private:
  // False where the stream ends well.
  Result<bool> BeginMember() {
    // All that may be a header: isa-l 2.30 takes a header's own check sum for wrong where the header comes in pieces.
    TRY(input().Want(kCodecChunk));
    if (input().Visible().empty()) return false;
    if (Detect(AsText(input().Visible())) != "gzip") return Wrong("something other than gzip after the gzip stream");
    ::isal_inflate_init(state_.get());
    state_->crc_flag = ISAL_GZIP;  // header and trailer are its business, with their checks
    between_members_ = false;
    return true;
  }

  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
  bool between_members_ = true;
};

class ZstdSource : public BoundedSource {
 public:
  ZstdSource(ByteSource& source, uint64_t max_output)
      : BoundedSource(source, max_output), stream_(::ZSTD_createDCtx()) {
    CHECK(stream_ != nullptr);
    CHECK(::ZSTD_isError(::ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, kMaxZstdWindowLog)) == 0);
  }
  ~ZstdSource() override { ::ZSTD_freeDCtx(stream_); }

 protected:
  Result<size_t> Produce(MutableByteSpan buffer) override {
    ZSTD_outBuffer out{buffer.data(), buffer.size(), 0};
    while (out.pos == 0) {
      if (between_frames_) {
        TRY(input().Want(kZstdHeaderBytes));
        if (input().Visible().empty()) return size_t{0};
        // The library would read the formats of its first years too.
        if (Detect(AsText(input().Visible())) != "zstd") return Wrong("something other than zstd after a zstd frame");
        frame_size_ = ::ZSTD_getFrameContentSize(input().Visible().data(), input().Visible().size());
        frame_done_ = 0;
      }
      TRY(input().Want(1));
      const ByteSpan bytes = input().Visible();
      // What the frame still holds in its buffers comes out without more input.
      if (bytes.empty() && stalled_) return Wrong("the zstd stream ends too early");
      ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
      const size_t result = ::ZSTD_decompressStream(stream_, &out, &in);
      if (::ZSTD_isError(result) != 0)
        return Wrong(StrCat("the zstd stream is damaged: ", ::ZSTD_getErrorName(result)));
      input().Take(in.pos);
      frame_done_ += out.pos;
      between_frames_ = result == 0;
      // libzstd 1.5.4 looks only where the frame is whole in its input, or its last block is not empty.
      const bool known = frame_size_ != ZSTD_CONTENTSIZE_UNKNOWN && frame_size_ != ZSTD_CONTENTSIZE_ERROR;
      if (between_frames_ && known && frame_done_ != frame_size_)
        return Wrong("a zstd frame has another size than its header says");
      stalled_ = out.pos == 0 && in.pos == 0;
    }
    stalled_ = false;
    return out.pos;
  }

 private:
  ZSTD_DCtx* stream_;
  bool between_frames_ = true;
  bool stalled_ = false;
  uint64_t frame_size_ = 0;  // as its header says
  uint64_t frame_done_ = 0;
};

class PlainSink : public CompressingSink {
 public:
  explicit PlainSink(ByteSink& output) : output_(output) {}
  Status Write(ByteSpan bytes) override { return output_.Write(bytes); }
  Status Finish() override { return Ok(); }

 private:
  ByteSink& output_;
};

class GzipSink : public CompressingSink {
 public:
  GzipSink(int level, ByteSink& output) : output_(output), buffer_(kCodecChunk) {
    // The header that the library writes by itself has no name and no time.
    CHECK(::deflateInit2(&stream_, level, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  }
  ~GzipSink() override { ::deflateEnd(&stream_); }

  Status Write(ByteSpan bytes) override {
    constexpr size_t kMost = size_t{1} << 30;  // the library counts in 32 bits
    for (; bytes.size() > kMost; bytes = bytes.subspan(kMost)) TRY(Run(bytes.first(kMost), Z_NO_FLUSH));
    return Run(bytes, Z_NO_FLUSH);
  }
  Status Finish() override { return Run({}, Z_FINISH); }

 private:
  Status Run(ByteSpan bytes, int flush) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    for (;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      const int result = ::deflate(&stream_, flush);
      CHECK(result != Z_STREAM_ERROR);
      TRY(output_.Write(ByteSpan(buffer_).first(buffer_.size() - stream_.avail_out)));
      const bool done = flush == Z_FINISH ? result == Z_STREAM_END : stream_.avail_out > 0;
      if (done) return Ok();
    }
  }

  ByteSink& output_;
  std::vector<std::byte> buffer_;
  z_stream stream_{};
};

class ZstdSink : public CompressingSink {
 public:
  ZstdSink(int level, int workers, ByteSink& output)
      : output_(output), buffer_(kCodecChunk), stream_(::ZSTD_createCCtx()) {
    CHECK(stream_ != nullptr);
    Set(ZSTD_c_compressionLevel, level);
    Set(ZSTD_c_checksumFlag, 1);
    if (workers == 0) return;
    Set(ZSTD_c_nbWorkers, workers);
    Set(ZSTD_c_jobSize, kWorkersJob);
  }
  ~ZstdSink() override { ::ZSTD_freeCCtx(stream_); }

  Status Write(ByteSpan bytes) override { return Run(bytes, ZSTD_e_continue); }
  Status Finish() override { return Run({}, ZSTD_e_end); }

 private:
  // What each worker compresses at a time, in bytes: a part of the format, as it were, since other sizes give other
  // output.
  static constexpr int kWorkersJob = 4 << 20;

  void Set(ZSTD_cParameter parameter, int value) {
    CHECK(::ZSTD_isError(::ZSTD_CCtx_setParameter(stream_, parameter, value)) == 0);
  }

  Status Run(ByteSpan bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
      const size_t left = ::ZSTD_compressStream2(stream_, &out, &in, directive);
      if (::ZSTD_isError(left) != 0) return Error(Errc::kInternal, StrCat("zstd: ", ::ZSTD_getErrorName(left)));
      TRY(output_.Write(ByteSpan(buffer_).first(out.pos)));
      const bool done = directive == ZSTD_e_end ? left == 0 : in.pos == in.size;
      if (done) return Ok();
    }
  }

  ByteSink& output_;
  std::vector<std::byte> buffer_;
  ZSTD_CCtx* stream_;
};

}  // namespace

Result<Compression> CompressionOfMediaType(std::string_view media_type) {
  if (!IsLayerMediaType(media_type)) {
    return Wrong(StrCat("layer of unknown type \"", Escape(media_type.substr(0, 160)), "\""));
  }
  if (media_type.ends_with("gzip")) return Compression::kGzip;
  if (media_type.ends_with("zstd")) return Compression::kZstd;
  return Compression::kNone;
}

Result<std::unique_ptr<ByteSource>> Decompress(Compression compression, ByteSource& input, uint64_t max_output) {
  std::unique_ptr<BoundedSource> out;
  switch (compression) {
    case Compression::kNone:
      out = std::make_unique<PlainSource>(input, max_output);
      break;
    case Compression::kGzip:
      out = std::make_unique<GzipSource>(input, max_output);
      break;
    case Compression::kZstd:
      out = std::make_unique<ZstdSource>(input, max_output);
      break;
  }
  TRY(out->CheckMagic(compression));
  return std::unique_ptr<ByteSource>(std::move(out));
}

Result<std::unique_ptr<CompressingSink>> Compress(Compression compression, int level, ByteSink& output, int workers) {
  const auto check = [&](int most) -> Status {
    if (level >= 1 && level <= most) return Ok();
    return Error(Errc::kInvalid, StrCat(NameOf(compression), " level ", level, ": must be 1..", most));
  };
  switch (compression) {
    case Compression::kNone:
      break;
    case Compression::kGzip:
      TRY(check(9));
      return std::unique_ptr<CompressingSink>(new GzipSink(level, output));
    case Compression::kZstd:
      TRY(check(::ZSTD_maxCLevel()));
      return std::unique_ptr<CompressingSink>(new ZstdSink(level, workers, output));
  }
  return std::unique_ptr<CompressingSink>(new PlainSink(output));
}

}  // namespace hostapp
