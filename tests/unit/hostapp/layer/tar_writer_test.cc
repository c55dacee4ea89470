// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/tar_writer.h"

#include <gtest/gtest.h>

#include "hostapp/base/strings.h"
#include "tests/support/byte_streams.h"

namespace hostapp {
namespace {

using testing::TextSource;
using Type = TarEntry::Type;

TarEntry Entry(std::string path, Type type = Type::kFile, std::string target = "") {
  TarEntry entry;
  entry.path = std::move(path);
  entry.type = type;
  entry.mode = 0644;
  entry.link_target = std::move(target);
  return entry;
}

std::string TarOf(const TarEntry& entry, std::string_view content = "") {
  StringSink sink;
  TarWriter writer(sink);
  EXPECT_TRUE(writer.Add(entry).ok());
  if (!content.empty()) {
    EXPECT_TRUE(writer.WriteContent(AsBytes(content)).ok());
  }
  EXPECT_TRUE(writer.Finish().ok());
  return sink.text;
}

class RoundTrips : public ::testing::TestWithParam<TarEntry> {};

TEST_P(RoundTrips, ThroughTheStrictReader) {
  TarEntry entry = GetParam();
  const std::string content(entry.size < 10000 ? entry.size : 0, 'c');
  TextSource source(TarOf(entry, content));
  TarReader reader(source, {});
  const auto back = reader.Next();
  ASSERT_TRUE(back.ok()) << back.error().message();
  const TarEntry& got = **back;
  EXPECT_EQ(got.path, entry.path);
  EXPECT_EQ(got.type, entry.type);
  EXPECT_EQ(got.mode, entry.mode);
  EXPECT_EQ(got.uid, entry.uid);
  EXPECT_EQ(got.gid, entry.gid);
  EXPECT_EQ(got.size, entry.size);
  EXPECT_EQ(got.mtime, entry.mtime);
  EXPECT_EQ(got.mtime_nanos, 0u);
  EXPECT_EQ(got.link_target, entry.link_target);
  EXPECT_EQ(got.device_major, entry.device_major);
  EXPECT_EQ(got.device_minor, entry.device_minor);
  EXPECT_EQ(got.xattrs, entry.xattrs);
  const auto end = reader.Next();
  ASSERT_TRUE(end.ok()) << end.error().message();
  EXPECT_FALSE(*end);
}

std::vector<TarEntry> Members() {
  std::vector<TarEntry> out = {Entry("plain"),
                               Entry("", Type::kDirectory),
                               Entry("d/e", Type::kDirectory),
                               Entry("l", Type::kSymlink, "/any/where/../x"),
                               Entry("h", Type::kHardlink, "plain"),
                               Entry("pipe", Type::kFifo),
                               Entry("ümläut"),
                               Entry("not utf-8 \xff\xfe"),
                               Entry("new\nline\x1b"),
                               Entry(std::string(100, 'a')),
                               Entry(std::string(101, 'a')),
                               Entry(std::string(155, 'p') + "/" + std::string(100, 'n')),
                               Entry(std::string(156, 'p') + "/" + std::string(100, 'n')),
                               Entry(std::string(155, 'p') + "/" + std::string(101, 'n')),
                               Entry(std::string(150, 'p') + "/" + std::string(99, 'n'), Type::kDirectory),
                               Entry(std::string(150, 'p') + "/" + std::string(100, 'n'), Type::kDirectory),
                               Entry("l", Type::kSymlink, std::string(100, 't')),
                               Entry("l", Type::kSymlink, std::string(101, 't')),
                               Entry("l", Type::kSymlink, "\xff")};
  for (const uint64_t size : {1U, 511U, 512U, 513U}) {
    out.push_back(Entry("f"));
    out.back().size = size;
  }
  out.push_back(Entry("owners"));
  out.back().uid = 2097151;
  out.back().gid = 2097152;
  out.push_back(Entry("owners"));
  out.back().uid = 4294967294;
  out.push_back(Entry("times"));
  out.back().mtime = (int64_t{1} << 33) - 1;
  out.push_back(Entry("times"));
  out.back().mtime = int64_t{1} << 33;
  out.push_back(Entry("bits"));
  out.back().mode = 07777;
  out.push_back(Entry("dev", Type::kBlockDevice));
  out.back().device_major = 259;
  out.back().device_minor = 0xfffff;
  out.push_back(Entry("attributes"));
  out.back().xattrs = {{"security.capability", std::string("\0\1\2\n=", 5)}, {"user.empty", ""}};
  return out;
}
INSTANTIATE_TEST_SUITE_P(Members, RoundTrips, ::testing::ValuesIn(Members()));

TEST(TarWriter, UsesPlainUstarWhereItFits) {
  const std::string tar = TarOf(Entry("usr/bin/true"));
  EXPECT_EQ(tar.size(), 512u * 3);
  EXPECT_EQ(tar[156], '0');
  EXPECT_EQ(tar.substr(257, 8), std::string("ustar\00000", 8));
  EXPECT_EQ(tar.substr(265, 64), std::string(64, '\0'));  // no owner names
}

TEST(TarWriter, WritesSizesBeyondOctal) {
  StringSink sink;
  TarWriter writer(sink);
  TarEntry entry = Entry("huge");
  entry.size = uint64_t{1} << 41;
  ASSERT_TRUE(writer.Add(entry).ok());
  TextSource source(sink.text);
  TarReader reader(source, {});
  const auto back = reader.Next();
  ASSERT_TRUE(back.ok()) << back.error().message();
  EXPECT_EQ((*back)->size, entry.size);
}

TEST(TarWriter, RefusesWhatNoTarCanSay) {
  StringSink sink;
  TarWriter writer(sink);
  TarEntry folder_with_size = Entry("d", Type::kDirectory);
  folder_with_size.size = 1;
  for (const TarEntry& entry : {Entry("l", Type::kSymlink), Entry("f", Type::kFile, "target"),
                                Entry(std::string("a\0b", 3)), folder_with_size}) {
    EXPECT_EQ(writer.Add(entry).error().code(), Errc::kInvalid);
  }
  EXPECT_TRUE(sink.text.empty());
}

}  // namespace
}  // namespace hostapp
