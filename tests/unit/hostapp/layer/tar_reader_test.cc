// SPDX-License-Identifier: Apache-2.0
#include "hostapp/layer/tar_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "hostapp/base/strings.h"
#include "tests/support/byte_streams.h"
#include "tests/support/tar_bytes.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using testing::Octal;
using testing::PaxRecord;
using testing::TarBytes;
using testing::TarHeader;
using testing::TextSource;

struct Member {
  TarEntry entry;
  std::string content;
};

Result<std::vector<Member>> ReadTar(std::string tar, TarLimits limits = {}, size_t piece = SIZE_MAX) {
  TextSource source(std::move(tar), piece);
  TarReader reader(source, limits);
  std::vector<Member> out;
  for (;;) {
    ASSIGN_OR_RETURN(std::optional<TarEntry> entry, reader.Next());
    if (!entry) return out;
    out.push_back({*std::move(entry), {}});
    std::byte buffer[777];
    for (;;) {
      ASSIGN_OR_RETURN(const size_t got, reader.ReadContent(buffer));
      if (got == 0) break;
      out.back().content.append(AsText(ByteSpan(buffer).first(got)));
    }
  }
}

Member ReadOne(const std::string& tar) {
  auto members = ReadTar(tar);
  EXPECT_TRUE(members.ok()) << members.error().message();
  EXPECT_EQ(members->size(), 1u);
  return std::move((*members)[0]);
}

TEST(TarReader, ReadsEveryKindOfMember) {
  const std::string tar =
      TarBytes()
          .Dir("./")
          .File("./etc//motd", "hello\n", {.mode = "0104755", .uid = "0000017", .mtime = "00000000012"})
          .Symlink("etc/link", "../../anywhere")
          .Hardlink("etc/same", "./etc/motd")
          .Device("dev/null", '3', 1, 3)
          .Device("dev/sda", '4', 8, 0)
          .Device("run/pipe", '6', 0, 0)
          .End();
  for (const size_t piece : {size_t{1}, size_t{511}, SIZE_MAX}) {
    const auto members = ReadTar(tar, {}, piece);
    ASSERT_TRUE(members.ok()) << members.error().message();
    ASSERT_EQ(members->size(), 7u);
    EXPECT_EQ((*members)[0].entry.path, "");
    EXPECT_EQ((*members)[0].entry.type, TarEntry::Type::kDirectory);
    const TarEntry& file = (*members)[1].entry;
    EXPECT_EQ(file.path, "etc/motd");
    EXPECT_EQ(file.mode, 04755u);
    EXPECT_EQ(file.uid, 15u);
    EXPECT_EQ(file.mtime, 10);
    EXPECT_EQ((*members)[1].content, "hello\n");
    EXPECT_EQ((*members)[2].entry.link_target, "../../anywhere");
    EXPECT_EQ((*members)[3].entry.type, TarEntry::Type::kHardlink);
    EXPECT_EQ((*members)[3].entry.link_target, "etc/motd");
    EXPECT_EQ((*members)[4].entry.device_minor, 3u);
    EXPECT_EQ((*members)[5].entry.type, TarEntry::Type::kBlockDevice);
    EXPECT_EQ((*members)[6].entry.type, TarEntry::Type::kFifo);
  }
}

TEST(TarReader, TakesPaxOverTheHeader) {
  const std::string name(300, 'n');
  const Member member = ReadOne(TarBytes()
                                    .Pax({{"path", "d/" + name.substr(0, 250)},
                                          {"uid", "4294967294"},
                                          {"gid", "70000"},
                                          {"mtime", "1700000000.123456789123"},
                                          {"SCHILY.xattr.user.a", std::string("b\0=\nc", 5)},
                                          {"SCHILY.acl.access", "user::rwx"},
                                          {"hdrcharset", "BINARY"}})
                                    .File("short", "x")
                                    .End());
  EXPECT_EQ(member.entry.path, "d/" + name.substr(0, 250));
  EXPECT_EQ(member.entry.uid, 4294967294u);
  EXPECT_EQ(member.entry.gid, 70000u);
  EXPECT_EQ(member.entry.mtime, 1700000000);
  EXPECT_EQ(member.entry.mtime_nanos, 123456789u);
  EXPECT_EQ(member.entry.xattrs.at("user.a"), std::string("b\0=\nc", 5));
  EXPECT_EQ(member.entry.unknown_keys, std::vector<std::string>{"SCHILY.acl.access"});
}

TEST(TarReader, TakesLibarchivesXattrsOnlyWithoutATwin) {
  const Member member = ReadOne(
      TarBytes()
          .Pax({{"LIBARCHIVE.xattr.user.a", "eA"}, {"LIBARCHIVE.xattr.user.%3db", "eQ"}, {"SCHILY.xattr.user.a", "z"}})
          .File("f", "")
          .End());
  EXPECT_EQ(member.entry.xattrs, (decltype(member.entry.xattrs){{"user.a", "z"}, {"user.=b", "y"}}));
}

TEST(TarReader, ReadsGnuNamesAndTheUstarPrefix) {
  const std::string magic("ustar  \0", 8);
  const std::string path = std::string(200, 'p') + "/" + std::string(200, 'q');
  const Member gnu = ReadOne(TarBytes()
                                 .GnuLong('K', "target")
                                 .GnuLong('L', path)
                                 .Header({.name = "p", .type = '2', .link_name = "t", .magic = magic})
                                 .End());
  EXPECT_EQ(gnu.entry.path, path);
  EXPECT_EQ(gnu.entry.link_target, "target");
  EXPECT_EQ(ReadOne(TarBytes().Header({.name = "n", .prefix = "some/where"}).End()).entry.path, "some/where/n");
}

TEST(TarReader, ReadsNumbersInBase256) {
  std::string uid("\x80\0\0\0\0\x01\0\0", 8);
  std::string mtime("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12);
  const Member member = ReadOne(TarBytes().Header({.uid = uid, .mtime = mtime}).End());
  EXPECT_EQ(member.entry.uid, 65536u);
  EXPECT_EQ(member.entry.mtime, 0);  // row 36
}

TEST(TarReader, LetsPaxSizeWin) {  // row 39, both ways
  const std::string inner = TarBytes().File("smuggled", "x").bytes();
  auto members = ReadTar(TarBytes()
                             .Pax({{"size", std::to_string(inner.size())}})
                             .Header({.name = "outer", .size = "00000000000"})
                             .Raw(inner)
                             .End());
  ASSERT_TRUE(members.ok()) << members.error().message();
  ASSERT_EQ(members->size(), 1u);
  EXPECT_EQ((*members)[0].content, inner);
  members = ReadTar(
      TarBytes().Pax({{"size", "0"}}).Header({.name = "outer", .size = Octal(inner.size(), 11)}).Raw(inner).End());
  ASSERT_TRUE(members.ok()) << members.error().message();
  ASSERT_EQ(members->size(), 2u);
  EXPECT_EQ((*members)[1].entry.path, "smuggled");
}

TEST(TarReader, MovesTimesIntoItsRange) {  // row 36
  const auto mtime = [](const std::string& text) {
    const Member member = ReadOne(TarBytes().Pax({{"mtime", text}}).File("f", "").End());
    return std::pair(member.entry.mtime, member.entry.mtime_nanos);
  };
  EXPECT_EQ(mtime("-5.5"), std::pair(int64_t{0}, 0u));
  EXPECT_EQ(mtime("9223372036854775808.5"), std::pair(tar::kMaxMtime, 0u));
  EXPECT_EQ(mtime(std::string(1000, '9')), std::pair(tar::kMaxMtime, 0u));
  EXPECT_EQ(mtime("12.5"), std::pair(int64_t{12}, 500000000u));
}

TEST(TarReader, KeepsNamesOfAnyBytesAndEscapesThemInErrors) {  // row 12
  EXPECT_EQ(ReadOne(TarBytes().File("a\n\x1b\xff", "").End()).entry.path, "a\n\x1b\xff");
  const auto bad = ReadTar(TarBytes().File("a\n\x1b\xff/..", "").End());
  ASSERT_FALSE(bad.ok());
  EXPECT_THAT(bad.error().message(), HasSubstr("tar member a\\x0a\\x1b\\xff/..: "));
}

struct Bad {
  int row;
  std::string name;
  std::string tar;
  std::string says;
};

class HostileTars : public ::testing::TestWithParam<Bad> {};

TEST_P(HostileTars, AreCorrupt) {
  for (const size_t piece : {size_t{13}, SIZE_MAX}) {
    const auto members = ReadTar(GetParam().tar, {}, piece);
    ASSERT_FALSE(members.ok());
    EXPECT_EQ(members.error().code(), Errc::kCorrupt);
    EXPECT_THAT(members.error().message(), HasSubstr(GetParam().says));
    EXPECT_TRUE(members.error().message().starts_with("tar ")) << members.error().message();
  }
}

std::string Named(std::string name) { return TarBytes().File(std::move(name), "").End(); }
std::string NamedByPax(std::string name) { return TarBytes().Pax({{"path", std::move(name)}}).File("x", "").End(); }
std::string With(TarHeader header) { return TarBytes().Header(header).End(); }
std::string WithPax(std::vector<std::pair<std::string, std::string>> records) {
  return TarBytes().Pax(records).File("x", "").End();
}
std::string WithPaxText(std::string_view text) { return TarBytes().Extension('x', text).File("x", "").End(); }

std::string Nested(int depth) {
  std::string out;
  for (int i = 0; i < depth; ++i) out += "d/";
  return out + "f";
}

std::vector<std::pair<std::string, std::string>> ManyXattrs(int count) {
  std::vector<std::pair<std::string, std::string>> out;
  for (int i = 0; i < count; ++i) out.emplace_back(StrCat("SCHILY.xattr.user.", i), "v");
  return out;
}

INSTANTIATE_TEST_SUITE_P(
    Rows, HostileTars,
    ::testing::Values(
        Bad{1, "DotDot", Named("../../etc/passwd"), "\"..\" in a name"},
        Bad{1, "DotDotByPax", NamedByPax("../../etc/passwd"), "\"..\" in a name"},
        Bad{1, "DotDotByGnu", TarBytes().GnuLong('L', "../x").File("x", "").End(), "\"..\" in a name"},
        Bad{1, "DotDotByPrefix", With({.name = "x", .prefix = ".."}), "\"..\" in a name"},
        Bad{2, "Absolute", Named("/etc/passwd"), "an absolute name"},
        Bad{3, "DotDotInside", Named("a/../../x"), "\"..\" in a name"},
        Bad{3, "DotDotAfterDot", Named("./../x"), "\"..\" in a name"},
        Bad{3, "DotDotMixed", Named("a/./../..//x"), "\"..\" in a name"},
        Bad{6, "RootIsALink", TarBytes().Symlink(".", "/etc").End(), "the root must be a directory"},
        Bad{6, "RootIsALinkWithSlash", TarBytes().Symlink("./", "/etc").End(), "trailing slash"},
        Bad{6, "SlashIsALink", TarBytes().Symlink("/", "/etc").End(), "an absolute name"},
        Bad{6, "RootIsAFile", Named("."), "the root must be a directory"},
        Bad{7, "HardlinkOutside", TarBytes().Hardlink("x", "../etc/passwd").End(), "hard link target: \"..\""},
        Bad{7, "HardlinkAbsolute", TarBytes().Hardlink("x", "/etc/passwd").End(), "hard link target: an absolute"},
        Bad{8, "HardlinkToItself", TarBytes().Hardlink("a/x", "./a//x").End(), "a hard link to itself"},
        Bad{8, "HardlinkToRoot", TarBytes().Hardlink("x", ".").End(), "a hard link to a directory"},
        Bad{8, "HardlinkToFolder", TarBytes().Hardlink("x", "d/").End(), "a hard link to a directory"},
        Bad{8, "LinkToNothing", TarBytes().Symlink("x", "").End(), "a link to nothing"},
        Bad{12, "ZeroByteInPaxPath", NamedByPax(std::string("a\0b", 3)), "a zero byte in path"},
        Bad{12, "ZeroByteInGnuName", TarBytes().Extension('L', std::string("a\0b\0", 4)).File("x", "").End(),
            "a zero byte in a GNU long name"},
        Bad{13, "LongComponent", NamedByPax(std::string(256, 'a')), "longer than 255 bytes"},
        Bad{13, "LongPath", NamedByPax(std::string(4097, 'a')), "longer than 4096 bytes"},
        Bad{13, "LongTarget", TarBytes().Pax({{"linkpath", std::string(4096, 'a')}}).Symlink("x", "y").End(),
            "longer than 4095 bytes"},
        Bad{13, "Deep", NamedByPax(Nested(256)), "deeper than 256"}, Bad{15, "EmptyName", Named(""), "an empty name"},
        Bad{15, "SlashOnFile", Named("a/"), "a trailing slash on what is no directory"},
        Bad{15, "SlashDotOnFile", Named("a/."), "a trailing slash on what is no directory"},
        Bad{15, "DirWithData", TarBytes().Header({.name = "d", .size = "00000000001", .type = '5'}).Content("x").End(),
            "content in what is no file"},
        Bad{15, "LinkWithData", With({.size = "00000000001", .type = '1', .link_name = "y"}), "content in what is no"},
        Bad{15, "FifoWithDataByPax", TarBytes().Pax({{"size", "1"}}).Header({.type = '6'}).Content("x").End(),
            "content in what is no file"},
        Bad{33, "LongXattr", WithPax({{"SCHILY.xattr.user.a", std::string(65537, 'v')}}),
            "more than the 65536 allowed"},
        Bad{33, "ManyXattrs", WithPax(ManyXattrs(257)), "more than 256 extended attributes"},
        Bad{33, "XattrTwice", WithPax({{"SCHILY.xattr.user.a", "1"}, {"SCHILY.xattr.user.a", "2"}}), "twice"},
        Bad{33, "LongXattrName", WithPax({{"SCHILY.xattr." + std::string(256, 'n'), ""}}), "longer than 255"},
        Bad{33, "EmptyXattrName", WithPax({{"SCHILY.xattr.", "v"}}), "name is empty"},
        Bad{33, "XattrNotBase64", WithPax({{"LIBARCHIVE.xattr.user.a", "?"}}), "does not decode"},
        Bad{35, "UidTooLarge", WithPax({{"uid", "4294967295"}}), "an owner outside 0..4294967294"},
        Bad{35, "UidOver64Bits", WithPax({{"uid", "18446744073709551616"}}), "no whole number"},
        Bad{35, "UidText", WithPax({{"uid", "root"}}), "no whole number"},
        Bad{35, "UidNegative", WithPax({{"gid", "-1"}}), "no whole number"},
        Bad{35, "UidEmpty", WithPax({{"gid", ""}}), "no whole number"},
        Bad{35, "UidBase256Negative", With({.uid = std::string(8, '\xff')}), "below zero"},
        Bad{35, "UidBase256Huge", With({.uid = std::string("\x80\0\0\x01\0\0\0\0", 8)}), "an owner outside"},
        Bad{36, "TimeNaN", WithPax({{"mtime", "NaN"}}), "is no time"},
        Bad{36, "TimeExponent", WithPax({{"mtime", "1e999"}}), "is no time"},
        Bad{36, "TimeEmpty", WithPax({{"mtime", ""}}), "is no time"},
        Bad{37, "TypeInModeDiffers", With({.mode = "0040755"}), "the type in the mode"},
        Bad{38, "MajorTooLarge", TarBytes().Device("d", '3', 4096, 0).End(), "beyond Linux's"},
        Bad{38, "MinorTooLarge", TarBytes().Device("d", '4', 8, 1 << 20).End(), "beyond Linux's"},
        Bad{40, "PaxThenGnu", TarBytes().Pax({{"size", "0"}}).GnuLong('L', "n").File("x", "").End(),
            "a GNU long name and an extended header"},
        Bad{40, "GnuThenPax", TarBytes().GnuLong('L', "n").Pax({{"size", "0"}}).File("x", "").End(),
            "a GNU long name and an extended header"},
        Bad{40, "TwoPax", TarBytes().Pax({{"path", "a"}}).Pax({{"path", "b"}}).File("x", "").End(),
            "two extended headers"},
        Bad{40, "TwoGnu", TarBytes().GnuLong('L', "a").GnuLong('L', "b").File("x", "").End(), "two GNU long names"},
        Bad{40, "PaxAtTheEnd", TarBytes().Pax({{"path", "a"}}).End(), "an extended header without a member"},
        Bad{41, "LengthWrong", WithPaxText("99 path=a\n"), "a record of impossible length"},
        Bad{41, "LengthShort", WithPaxText("5 path=a\n"), "does not end in a newline"},
        Bad{41, "LengthNotDecimal", WithPaxText("0xb path=ab\n"), "without a length"},
        Bad{41, "LengthSigned", WithPaxText("+10 path=a\n"), "impossible length"},
        Bad{41, "LengthHuge", WithPaxText("99999999999999999999 path=a\n"), "without a length"},
        Bad{41, "LengthMissing", WithPaxText("path=a\n"), "a record"},
        Bad{41, "NoNewline", WithPaxText("10 path=ab"), "does not end in a newline"},
        Bad{41, "NoKey", WithPaxText("7 =ab\n\n"), "without a key"},
        Bad{41, "NoEquals", WithPaxText("8 abcd\n\n"), "without a key"},
        Bad{41, "ZeroesBehind", WithPaxText(PaxRecord("path", "a") + std::string(3, '\0')), "without a length"},
        Bad{41, "KeyTwice", WithPax({{"path", "a"}, {"path", "b"}}), "the key path twice"},
        Bad{41, "EmptyPath", WithPax({{"path", ""}}), "path is empty"},
        Bad{41, "Charset", WithPax({{"hdrcharset", "ISO-8859-1"}}), "character set"},
        Bad{42, "PaxOfAGigabyte", TarBytes().Header({.size = Octal(1 << 30, 11), .type = 'x'}).End(),
            "more than the 1048576 allowed"},
        Bad{42, "GnuOfAGigabyte", TarBytes().Header({.size = Octal(1 << 30, 11), .type = 'L'}).End(),
            "more than the 1048576 allowed"},
        Bad{42, "GlobalPath", TarBytes().Pax({{"path", "evil"}}, 'g').File("x", "").End(),
            "a global header that sets path"},
        Bad{42, "GlobalBetween", TarBytes().Pax({{"path", "a"}}).Pax({{"comment", "c"}}, 'g').File("x", "").End(),
            "a global header between"},
        Bad{43, "SparseByPax", WithPax({{"GNU.sparse.major", "1"}}), "a sparse file"},
        Bad{43, "SparseByStar", WithPax({{"SCHILY.realsize", "1"}}), "a sparse file"},
        Bad{44, "OldSparse", With({.type = 'S', .magic = std::string("ustar  \0", 8)}), "a sparse file"},
        Bad{45, "ChecksumWrong", With({.checksum = "000001"}), "checksum is wrong"},
        Bad{45, "ChecksumEmpty", With({.checksum = std::string(8, ' ')}), "checksum is wrong"},
        Bad{46, "SizeBase256Over63Bits", With({.size = std::string("\x80\0\0\0\x80\0\0\0\0\0\0\0", 12)}), "no number"},
        Bad{46, "SizeBase256Negative", With({.size = std::string(12, '\xff')}), "below zero"},
        Bad{46, "SizeGarbage", With({.size = "0000 000"}), "the size is no number"},
        Bad{46, "SizeZeroThenDigits",
            With({.size = std::string("\0"
                                      "0000001",
                                      8)}),
            "the size is no number"},
        Bad{46, "ModeNine", With({.mode = "0000999"}), "the mode is no number"},
        Bad{47, "NoEnd", TarBytes().File("x", "abc").bytes(), "the end, two blocks of zeros, is missing"},
        Bad{47, "Empty", "", "the end, two blocks of zeros, is missing"},
        Bad{47, "HalfAnEnd", TarBytes().File("x", "abc").bytes() + std::string(512, '\0'), "second block of zeros"},
        Bad{47, "InTheHeader", TarBytes().File("x", "abc").bytes().substr(0, 300), "ends in the header"},
        Bad{47, "InTheContent", TarBytes().File("x", "abc").bytes().substr(0, 514), "ends in the content"},
        Bad{47, "InThePadding", TarBytes().File("x", "abc").bytes().substr(0, 600), "ends in the padding"},
        Bad{47, "InTheExtendedHeader", WithPax({{"path", "a"}}).substr(0, 515), "ends in the extended header"},
        Bad{48, "TwoArchives", Named("a") + Named("b"), "something other than zeros after the end"},
        Bad{48, "OneZeroBlock", std::string(512, '\0') + Named("a"), "one block of zeros with more behind it"},
        Bad{48, "OneByteBehind", Named("a") + std::string(5000, '\0') + "x", "something other than zeros"},
        Bad{50, "ExabytesOfFile", With({.size = std::string("\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12)}),
            "bytes, more than"},
        Bad{51, "VolumeHeader", With({.type = 'V'}), "type flag \"V\" is none of POSIX's"},
        Bad{51, "MultiVolume", With({.type = 'M'}), "type flag \"M\""},
        Bad{51, "SolarisAcl", With({.type = 'A'}), "type flag \"A\""},
        Bad{51, "OldPax", With({.type = 'X'}), "type flag \"X\""},
        Bad{51, "Contiguous", With({.type = '7'}), "type flag \"7\""},
        Bad{51, "GnuDumpdir", With({.type = 'D'}), "type flag \"D\""},
        Bad{51, "NoMagic", With({.magic = ""}), "no POSIX or GNU tar header"},
        Bad{51, "GnuWithAPrefix", With({.magic = std::string("ustar  \0", 8), .prefix = "etc"}), "with a prefix"}),
    [](const auto& test) { return StrCat("Row", test.param.row, test.param.name); });

TEST(TarReader, AcceptsZerosBehindTheEnd) {  // row 48
  EXPECT_TRUE(ReadTar(Named("a") + std::string(7777, '\0')).ok());
}

TEST(TarReader, AcceptsAGlobalComment) {
  EXPECT_TRUE(ReadTar(TarBytes().Pax({{"comment", "abc"}}, 'g').File("x", "").End()).ok());
}

TEST(TarReader, AcceptsWhatIsAtALimit) {  // rows 13, 33
  EXPECT_TRUE(ReadTar(NamedByPax(std::string(255, 'a'))).ok());
  EXPECT_TRUE(ReadTar(NamedByPax(Nested(255))).ok());
  EXPECT_TRUE(ReadTar(WithPax(ManyXattrs(256))).ok());
  EXPECT_TRUE(ReadTar(WithPax({{"SCHILY.xattr.user.a", std::string(65536, 'v')}})).ok());
}

TEST(TarReader, StopsAtTheLimitOfMembers) {  // row 49
  TarBytes tar;
  for (int i = 0; i < 11; ++i) tar.File(StrCat("f", i), "");
  const auto members = ReadTar(tar.End(), {.max_entries = 10});
  ASSERT_FALSE(members.ok());
  EXPECT_THAT(members.error().message(), HasSubstr("more than 10 members"));
  EXPECT_TRUE(ReadTar(tar.End(), {.max_entries = 11}).ok());
}

TEST(TarReader, StopsAtTheLimitOfTheStream) {  // row 52
  const std::string tar = TarBytes().File("x", std::string(5000, 'x')).End();
  EXPECT_TRUE(ReadTar(tar, {.max_total_bytes = tar.size()}).ok());
  for (const uint64_t limit : {uint64_t{0}, uint64_t{600}, tar.size() - 1}) {
    const auto members = ReadTar(tar, {.max_total_bytes = limit});
    ASSERT_FALSE(members.ok()) << limit;
    EXPECT_EQ(members.error().code(), Errc::kCorrupt);
  }
}

TEST(TarReader, HandsOnEveryByteThatIsNotContentInOrder) {
  const std::string tar = TarBytes()
                              .Pax({{"comment", "c"}}, 'g')
                              .Dir("d/")
                              .Pax({{"mtime", "1.5"}})
                              .File("d/a", std::string(1000, 'a'))
                              .GnuLong('L', std::string(150, 'n'))
                              .File("n", "bb")
                              .File("d/empty", "")
                              .File("d/block", std::string(512, 'c'))
                              .End() +
                          std::string(8192, '\0');
  for (const bool read_content : {true, false}) {
    std::string framing, content;
    std::vector<std::pair<size_t, size_t>> places;  // where in the framing which part of the content belongs
    TextSource source(tar, 300);
    TarReader reader(source, {}, [&](ByteSpan bytes) { framing.append(AsText(bytes)); });
    size_t sizes = 0;
    for (;;) {
      const auto entry = reader.Next();
      ASSERT_TRUE(entry.ok()) << entry.error().message();
      if (!*entry) break;
      places.emplace_back(framing.size(), (*entry)->size);
      EXPECT_EQ(reader.position(), framing.size() + sizes);
      sizes += (*entry)->size;
      std::byte buffer[100];
      while (read_content) {
        const auto got = reader.ReadContent(buffer);
        ASSERT_TRUE(got.ok());
        if (*got == 0) break;
        content.append(AsText(ByteSpan(buffer).first(*got)));
      }
    }
    EXPECT_EQ(framing.size() + sizes, tar.size());
    if (!read_content) continue;
    std::string rebuilt;
    size_t framing_at = 0, content_at = 0;
    for (const auto& [place, size] : places) {
      rebuilt += framing.substr(framing_at, place - framing_at) + content.substr(content_at, size);
      framing_at = place;
      content_at += size;
    }
    rebuilt += framing.substr(framing_at);
    EXPECT_EQ(rebuilt, tar);
  }
}

// Makes a tar of one enormous file without holding it.
class HugeSource : public ByteSource {
 public:
  explicit HugeSource(uint64_t size) : left_(size) {
    head_ = TarBytes().Pax({{"size", std::to_string(size)}}).Header({.name = "huge"}).bytes();
    tail_ = std::string((512 - size % 512) % 512 + 1024, '\0');
  }
  Result<size_t> Read(MutableByteSpan buffer) override {
    std::string& text = head_.empty() ? tail_ : head_;
    if (head_.empty() && left_ > 0) {
      const uint64_t size = std::min<uint64_t>(left_, buffer.size());
      std::fill_n(buffer.begin(), size, std::byte{'z'});
      left_ -= size;
      return size;
    }
    const size_t size = std::min(buffer.size(), text.size());
    std::copy_n(AsBytes(text).begin(), size, buffer.begin());
    text.erase(0, size);
    return size;
  }
  // Most of it is passed over, so that sizes beyond 2^41 can be tried.
  Result<uint64_t> Skip(uint64_t size) override {
    const uint64_t skipped = std::min(size, left_);
    left_ -= skipped;
    return skipped;
  }

 private:
  uint64_t left_;
  std::string head_, tail_;
};

TEST(TarReader, CountsInSixtyFourBits) {  // row 68
  for (const uint64_t size : {(uint64_t{1} << 31) - 1, uint64_t{1} << 31, (uint64_t{1} << 31) + 1,
                              (uint64_t{1} << 32) - 1, uint64_t{1} << 32, (uint64_t{1} << 32) + 1, uint64_t{1} << 41}) {
    HugeSource source(size);
    TarReader reader(source, {});
    const auto entry = reader.Next();
    ASSERT_TRUE(entry.ok()) << entry.error().message();
    EXPECT_EQ((*entry)->size, size);
    const auto end = reader.Next();
    ASSERT_TRUE(end.ok()) << end.error().message();
    EXPECT_FALSE(*end);
  }
}

TEST(TarReader, ReadsAGigabyteInConstantMemory) {
  struct rusage before {
  }, after{};
  ::getrusage(RUSAGE_SELF, &before);
  HugeSource source(uint64_t{1} << 30);
  TarReader reader(source, {});
  ASSERT_TRUE(reader.Next().ok());
  std::vector<std::byte> buffer(1 << 20);
  uint64_t total = 0;
  for (;;) {
    const auto got = reader.ReadContent(buffer);
    ASSERT_TRUE(got.ok());
    if (*got == 0) break;
    total += *got;
  }
  EXPECT_EQ(total, uint64_t{1} << 30);
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 8 * 1024) << "kilobytes";
}

}  // namespace
}  // namespace hostapp
