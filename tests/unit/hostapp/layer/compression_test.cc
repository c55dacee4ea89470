// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>
#include <zstd.h>

#include "hostapp/base/strings.h"
#include "hostapp/oci/descriptor.h"
#include "tests/support/byte_streams.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using testing::ReadAll;
using testing::TextSource;

constexpr uint64_t kNoLimit = UINT64_MAX;

std::string Sample() {
  std::string out;
  uint32_t state = 1;
  for (int i = 0; i < 300000; ++i) {
    state = state * 1664525 + 1013904223;
    out += static_cast<char>('a' + (state >> 28));
  }
  return out;
}

std::string Compressed(Compression compression, std::string_view text, int level = 3) {
  StringSink sink;
  auto stream = Compress(compression, level, sink);
  EXPECT_TRUE(stream.ok());
  EXPECT_TRUE((*stream)->Write(AsBytes(text)).ok());
  EXPECT_TRUE((*stream)->Finish().ok());
  return sink.text;
}

Result<std::string> Decompressed(Compression compression, std::string bytes, uint64_t limit = kNoLimit,
                                 size_t piece = SIZE_MAX) {
  TextSource source(std::move(bytes), piece);
  ASSIGN_OR_RETURN(const auto stream, Decompress(compression, source, limit));
  return ReadAll(*stream, 1000);
}

std::string Skippable(std::string_view payload) {
  std::string out("\x5a\x2a\x4d\x18", 4);
  for (int i = 0; i < 4; ++i) out += static_cast<char>(payload.size() >> (8 * i) & 0xff);
  return out.append(payload);
}

class BothCompressions : public ::testing::TestWithParam<Compression> {};
INSTANTIATE_TEST_SUITE_P(All, BothCompressions, ::testing::Values(Compression::kGzip, Compression::kZstd),
                         [](const auto& test) { return test.param == Compression::kGzip ? "Gzip" : "Zstd"; });

TEST_P(BothCompressions, GiveBackWhatWentIn) {
  const std::string text = Sample();
  for (const size_t piece : {size_t{1}, size_t{4096}, SIZE_MAX}) {
    const auto back = Decompressed(GetParam(), Compressed(GetParam(), text), kNoLimit, piece);
    ASSERT_TRUE(back.ok()) << back.error().message();
    EXPECT_EQ(*back, text);
  }
  EXPECT_EQ(*Decompressed(GetParam(), Compressed(GetParam(), "")), "");
}

TEST_P(BothCompressions, GiveTheSameBytesForTheSameInput) {
  EXPECT_EQ(Compressed(GetParam(), Sample()), Compressed(GetParam(), Sample()));
}

TEST_P(BothCompressions, ReadSeveralStreamsInARowAsOne) {  // row 54
  const auto back = Decompressed(
      GetParam(), Compressed(GetParam(), "one ") + Compressed(GetParam(), "") + Compressed(GetParam(), "two"));
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(*back, "one two");
}

TEST_P(BothCompressions, RefuseATruncatedStream) {  // row 55
  const std::string whole = Compressed(GetParam(), Sample());
  for (const size_t size : {whole.size() - 1, whole.size() - 4, whole.size() / 2, size_t{11}, size_t{6}}) {
    const auto back = Decompressed(GetParam(), whole.substr(0, size));
    ASSERT_FALSE(back.ok()) << size;
    EXPECT_EQ(back.error().code(), Errc::kCorrupt);
  }
}

TEST_P(BothCompressions, RefuseAWrongChecksum) {  // row 55
  std::string bytes = Compressed(GetParam(), Sample());
  for (size_t from_end = 1; from_end <= (GetParam() == Compression::kGzip ? 8 : 4); ++from_end) {
    std::string damaged = bytes;
    damaged[damaged.size() - from_end] ^= 0x10;
    const auto back = Decompressed(GetParam(), damaged);
    ASSERT_FALSE(back.ok()) << from_end;
    EXPECT_EQ(back.error().code(), Errc::kCorrupt);
  }
}

TEST_P(BothCompressions, RefuseWhatFollowsTheEnd) {
  for (const std::string& tail : {std::string("x"), std::string(512, '\0'), std::string("plain text")}) {
    const auto back = Decompressed(GetParam(), Compressed(GetParam(), "text") + tail);
    ASSERT_FALSE(back.ok());
    EXPECT_EQ(back.error().code(), Errc::kCorrupt);
  }
}

TEST_P(BothCompressions, StopABombAtTheLimit) {  // row 52
  const std::string bomb = Compressed(GetParam(), std::string(100 << 20, '\0'), 9);
  EXPECT_LT(bomb.size(), 200000u);
  const auto back = Decompressed(GetParam(), bomb, 1 << 20);
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code(), Errc::kCorrupt);
  EXPECT_THAT(back.error().message(), HasSubstr("more bytes come out than are allowed"));
}

TEST_P(BothCompressions, AllowExactlyTheLimit) {
  const std::string bytes = Compressed(GetParam(), "12345");
  EXPECT_TRUE(Decompressed(GetParam(), bytes, 5).ok());
  EXPECT_FALSE(Decompressed(GetParam(), bytes, 4).ok());
}

TEST(Decompress, RefusesBytesThatAreNotWhatTheTypeSays) {  // row 56
  const std::string gzip = Compressed(Compression::kGzip, "x"), zstd = Compressed(Compression::kZstd, "x");
  const std::string xz(
      "\xfd"
      "7zXZ\0rest",
      10),
      plain(600, 'p');
  const std::vector<std::pair<Compression, std::string>> cases = {
      {Compression::kGzip, zstd}, {Compression::kGzip, plain}, {Compression::kGzip, xz},      {Compression::kGzip, ""},
      {Compression::kZstd, gzip}, {Compression::kZstd, plain}, {Compression::kZstd, xz},      {Compression::kZstd, ""},
      {Compression::kNone, gzip}, {Compression::kNone, zstd},  {Compression::kNone, "BZh91"}, {Compression::kNone, xz}};
  for (const auto& [compression, bytes] : cases) {
    const auto back = Decompressed(compression, bytes);
    ASSERT_FALSE(back.ok());
    EXPECT_EQ(back.error().code(), Errc::kCorrupt);
    EXPECT_THAT(back.error().message(), HasSubstr("the layer is called"));
  }
}

// RFC 1952, 2.3.1: FHCRC and FNAME; "hello" in a stored block.
TEST(Decompress, ReadsAGzipHeaderWithACheckSumOfItsOwnInAnyPieces) {
  std::string stream("\x1f\x8b\x08\x0a\0\0\0\0\0\xff", 10);
  stream.append("name").push_back('\0');
  const uLong sum = ::crc32(0, reinterpret_cast<const Bytef*>(stream.data()), static_cast<uInt>(stream.size()));
  stream += static_cast<char>(sum & 0xff);
  stream += static_cast<char>(sum >> 8 & 0xff);
  stream.append("\x01\x05\0\xfa\xffhello\x86\xa6\x10\x36\x05\0\0\0", 18);
  for (const size_t piece : {size_t{1}, size_t{11}, SIZE_MAX}) {
    const auto back = Decompressed(Compression::kGzip, stream, kNoLimit, piece);
    ASSERT_TRUE(back.ok()) << piece << ": " << back.error().message();
    EXPECT_EQ(*back, "hello");
  }
  stream[15] = static_cast<char>(stream[15] ^ 1);
  EXPECT_FALSE(Decompressed(Compression::kGzip, stream).ok());
}

TEST(Decompress, PassesPlainBytesOn) { EXPECT_EQ(*Decompressed(Compression::kNone, "plain", 5), "plain"); }

// A header of 128 bytes, and an empty last block with the right check sum: libzstd 1.5.4 takes it when it comes in
// pieces.
TEST(Decompress, RefusesAZstdFrameOfAnotherSizeThanItSaysInAnyPieces) {
  const std::string frame("\x28\xb5\x2f\xfd\x24\x80\x01\x00\x00\x99\xe9\xd8\x51", 13);
  const std::string honest = std::string(frame).replace(5, 1, 1, '\0');
  for (const size_t piece : {size_t{1}, size_t{5}, SIZE_MAX}) {
    for (const size_t room : {size_t{7}, size_t{65536}}) {
      TextSource source(frame, piece), small(honest + honest, piece);
      const auto stream = Decompress(Compression::kZstd, source, 1000),
                 other = Decompress(Compression::kZstd, small, 1000);
      ASSERT_TRUE(stream.ok() && other.ok());
      const Result<std::string> back = ReadAll(**stream, room);
      ASSERT_FALSE(back.ok()) << piece << ", " << room;
      EXPECT_EQ(back.error().code(), Errc::kCorrupt);
      EXPECT_EQ(ReadAll(**other, room).value(), "");
    }
  }
}

TEST(Decompress, SkipsSkippableFrames) {  // row 54
  const std::string frame = Compressed(Compression::kZstd, "text");
  const auto back =
      Decompressed(Compression::kZstd, Skippable("junk") + frame + Skippable(std::string(200000, 'j')) + frame);
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ(*back, "texttext");
  EXPECT_FALSE(Decompressed(Compression::kZstd, frame + Skippable("junk").substr(0, 9)).ok());
}

TEST(Decompress, RefusesAWindowOverTheLimit) {  // row 53
  const auto with_window = [](int log) {
    ZSTD_CCtx* stream = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(stream, ZSTD_c_windowLog, log);
    std::string out(1 << 20, '\0');
    ZSTD_inBuffer in{"text", 4, 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    ZSTD_compressStream2(stream, &to, &in, ZSTD_e_flush);
    ZSTD_compressStream2(stream, &to, &in, ZSTD_e_end);
    ZSTD_freeCCtx(stream);
    out.resize(to.pos);
    return out;
  };
  EXPECT_EQ(*Decompressed(Compression::kZstd, with_window(27)), "text");
  const auto back = Decompressed(Compression::kZstd, with_window(28));
  ASSERT_FALSE(back.ok());
  EXPECT_EQ(back.error().code(), Errc::kCorrupt);
}

TEST(Compress, GivesTheSameBytesWithAnyNumberOfWorkers) {
  std::string text;  // five times what a worker takes
  for (int i = 0; text.size() < size_t{20} << 20; ++i) text += StrCat("line ", i, ' ', i % 7919, '\n');
  std::vector<std::string> outputs;
  for (const auto& [workers, piece] :
       std::vector<std::pair<int, size_t>>{{1, SIZE_MAX}, {2, 4096}, {3, 300001}, {2, SIZE_MAX}}) {
    StringSink sink;
    auto stream = Compress(Compression::kZstd, 3, sink, workers);
    ASSERT_TRUE(stream.ok());
    for (std::string_view rest = text; !rest.empty(); rest.remove_prefix(std::min(piece, rest.size()))) {
      ASSERT_TRUE((*stream)->Write(AsBytes(rest.substr(0, piece))).ok());
    }
    ASSERT_TRUE((*stream)->Finish().ok());
    outputs.push_back(sink.text);
    EXPECT_TRUE(outputs.back() == outputs.front()) << workers << " workers, pieces of " << piece;
  }
  EXPECT_EQ(*Decompressed(Compression::kZstd, outputs.front()), text);
}

TEST(Compress, RefusesLevelsThatThereAreNot) {
  StringSink sink;
  for (const auto& [compression, level] : std::vector<std::pair<Compression, int>>{
           {Compression::kGzip, 0}, {Compression::kGzip, 10}, {Compression::kZstd, 0}, {Compression::kZstd, 23}}) {
    const auto stream = Compress(compression, level, sink);
    ASSERT_FALSE(stream.ok());
    EXPECT_EQ(stream.error().code(), Errc::kInvalid);
  }
}

TEST(CompressionOfMediaType, KnowsEveryLayerTypeAndNoOther) {
  EXPECT_EQ(*CompressionOfMediaType(media_type::kOciLayerTar), Compression::kNone);
  EXPECT_EQ(*CompressionOfMediaType(media_type::kOciLayerGzip), Compression::kGzip);
  EXPECT_EQ(*CompressionOfMediaType(media_type::kOciLayerZstd), Compression::kZstd);
  EXPECT_EQ(*CompressionOfMediaType(media_type::kDockerLayerTar), Compression::kNone);
  EXPECT_EQ(*CompressionOfMediaType(media_type::kDockerLayerGzip), Compression::kGzip);
  EXPECT_EQ(*CompressionOfMediaType(media_type::kDockerLayerZstd), Compression::kZstd);
  EXPECT_EQ(*CompressionOfMediaType("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"),
            Compression::kGzip);
  for (const char* type : {"", "application/vnd.oci.image.layer.v1.tar+xz", "application/gzip"}) {
    EXPECT_EQ(CompressionOfMediaType(type).error().code(), Errc::kCorrupt);
  }
}

}  // namespace
}  // namespace hostapp
