// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/read_ahead.h"

#include <gtest/gtest.h>

#include "tests/support/byte_streams.h"

namespace hostapp {
namespace {

using testing::ReadAll;
using testing::TextSource;

std::string Sample(size_t size) {
  std::string out(size, '\0');
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * i >> 9);
  return out;
}

TEST(ReadAheadTest, GivesTheSameBytes) {
  for (const size_t size : {size_t{0}, size_t{1}, size_t{256} << 10, (size_t{256} << 10) + 1, size_t{3'000'001}}) {
    for (const size_t piece : {size_t{70'000}, SIZE_MAX}) {
      TextSource source(Sample(size), piece);
      ReadAhead ahead(source);
      const Result<std::string> read = ReadAll(ahead, 9973);
      ASSERT_TRUE(read.ok());
      EXPECT_EQ(*read, Sample(size)) << size << " bytes in pieces of " << piece;
      std::array<std::byte, 1> more;
      EXPECT_EQ(*ahead.Read(more), 0U);
    }
  }
}

class FailingSource : public ByteSource {
 public:
  Result<size_t> Read(MutableByteSpan buffer) override {
    if (reads_++ == 10) return Error(Errc::kCorrupt, "the tenth piece is bad");
    buffer[0] = std::byte{7};
    return size_t{1};
  }

 private:
  int reads_ = 0;
};

TEST(ReadAheadTest, GivesTheErrorAfterWhatCameBeforeIt) {
  FailingSource source;
  ReadAhead ahead(source);
  std::array<std::byte, 100> buffer;
  EXPECT_EQ(*ahead.Read(buffer), 10U);
  for (int again = 0; again < 2; ++again) {
    const Result<size_t> read = ahead.Read(buffer);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().message(), "the tenth piece is bad");
  }
}

TEST(ReadAheadTest, EndsWhenNobodyReadsOn) {
  TextSource source(Sample(10'000'000), SIZE_MAX);
  ReadAhead ahead(source);
  std::array<std::byte, 10> buffer;
  EXPECT_EQ(*ahead.Read(buffer), 10U);
}

}  // namespace
}  // namespace hostapp
