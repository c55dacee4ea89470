// SPDX-License-Identifier: Apache-2.0
// Two readers, one archive: what this reader accepts from other programs, libarchive reads the same.
#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "hostapp/base/durable.h"
#include "hostapp/base/hash.h"
#include "hostapp/base/strings.h"
#include "hostapp/layer/tar_reader.h"
#include "hostapp/layer/tar_writer.h"
#include "tests/support/byte_streams.h"
#include "tests/support/temp_dir.h"

namespace hostapp {
namespace {

namespace fs = std::filesystem;
using testing::TempDir;
using testing::TextSource;
using Type = TarEntry::Type;

// A member in words, for a readable difference.
std::string Describe(const TarEntry& entry, std::string_view content) {
  return StrCat(entry.path, " type ", static_cast<int>(entry.type), " mode ", entry.mode, " owner ", entry.uid, ":",
                entry.gid, " time ", entry.mtime, ".", entry.mtime_nanos, " link ", entry.link_target, " device ",
                entry.device_major, ",", entry.device_minor, " xattrs ", entry.xattrs.size(), " content ",
                content.size(), " ", HashOf(AsBytes(content)).Hex());
}

std::vector<std::string> ByThisReader(const std::string& tar) {
  std::vector<std::string> out;
  TextSource source(tar);
  TarReader reader(source, {});
  for (;;) {
    const auto entry = reader.Next();
    EXPECT_TRUE(entry.ok()) << entry.error().message();
    if (!entry.ok() || !*entry) return out;
    std::string content;
    std::byte buffer[4096];
    for (;;) {
      const auto got = reader.ReadContent(buffer);
      EXPECT_TRUE(got.ok());
      if (!got.ok() || *got == 0) break;
      content.append(AsText(ByteSpan(buffer).first(*got)));
    }
    out.push_back(Describe(**entry, content));
  }
}

std::string Trimmed(const char* name) {
  std::string_view text(name == nullptr ? "" : name);
  while (text.starts_with("./")) text.remove_prefix(2);
  while (text.ends_with('/')) text.remove_suffix(1);
  return text == "." ? "" : std::string(text);
}

Type TypeOf(archive_entry* from) {
  if (archive_entry_hardlink(from) != nullptr) return Type::kHardlink;
  switch (archive_entry_filetype(from)) {
    case AE_IFDIR:
      return Type::kDirectory;
    case AE_IFLNK:
      return Type::kSymlink;
    case AE_IFCHR:
      return Type::kCharDevice;
    case AE_IFBLK:
      return Type::kBlockDevice;
    case AE_IFIFO:
      return Type::kFifo;
    default:
      return Type::kFile;
  }
}

std::vector<std::string> ByLibarchive(const std::string& tar) {
  std::vector<std::string> out;
  const std::unique_ptr<archive, decltype(&archive_read_free)> reader(archive_read_new(), &archive_read_free);
  archive_read_support_format_tar(reader.get());
  EXPECT_EQ(archive_read_open_memory(reader.get(), tar.data(), tar.size()), ARCHIVE_OK);
  archive_entry* from = nullptr;
  int result = ARCHIVE_OK;
  while ((result = archive_read_next_header(reader.get(), &from)) == ARCHIVE_OK) {
    TarEntry entry;
    entry.path = Trimmed(archive_entry_pathname(from));
    entry.type = TypeOf(from);
    entry.mode = archive_entry_perm(from);
    entry.uid = static_cast<uint32_t>(archive_entry_uid(from));
    entry.gid = static_cast<uint32_t>(archive_entry_gid(from));
    entry.mtime = archive_entry_mtime(from);
    entry.mtime_nanos = static_cast<uint32_t>(archive_entry_mtime_nsec(from));
    if (entry.type == Type::kHardlink) entry.link_target = Trimmed(archive_entry_hardlink(from));
    if (entry.type == Type::kSymlink) entry.link_target = archive_entry_symlink(from);
    if (entry.type == Type::kCharDevice || entry.type == Type::kBlockDevice) {
      entry.device_major = static_cast<uint32_t>(archive_entry_rdevmajor(from));
      entry.device_minor = static_cast<uint32_t>(archive_entry_rdevminor(from));
    }
    for (int i = archive_entry_xattr_count(from); i > 0; --i) entry.xattrs[StrCat(i)] = "";
    std::string content, buffer(4096, '\0');
    for (la_ssize_t got; (got = archive_read_data(reader.get(), buffer.data(), buffer.size())) > 0;) {
      content.append(buffer, 0, static_cast<size_t>(got));
    }
    out.push_back(Describe(entry, content));
  }
  EXPECT_EQ(result, ARCHIVE_EOF) << archive_error_string(reader.get());
  return out;
}

class OtherProgramsTars : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const std::string root = dir_ / "tree";
    fs::create_directories(root + "/" + std::string(90, 'd') + "/" + std::string(90, 'e'));
    const auto write = [&](const std::string& name, const std::string& content) {
      std::ofstream(root + "/" + name, std::ios::binary) << content;
    };
    write("plain", "content\n");
    write("empty", "");
    write("block", std::string(512, 'b'));
    write("large", std::string(300000, 'l'));
    write(std::string(200, 'n'), "long name");
    write(std::string(90, 'd') + "/" + std::string(90, 'e') + "/" + std::string(99, 'f'), "prefix");
    fs::create_symlink(std::string(200, 't'), root + "/long-link");
    fs::create_symlink("plain", root + "/link");
    fs::create_hard_link(root + "/plain", root + "/same");
    fs::permissions(root + "/plain", fs::perms(04750));
  }
  TempDir dir_;
};

TEST_P(OtherProgramsTars, AreReadAsLibarchiveReadsThem) {
  const std::string command = StrCat("cd ", dir_ / "tree", " && ", GetParam());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const std::string tar = *ReadFile(dir_.fd(), "out.tar", 1 << 24);
  const std::vector<std::string> here = ByThisReader(tar);
  EXPECT_GT(here.size(), 7u);
  EXPECT_EQ(here, ByLibarchive(tar));
}

INSTANTIATE_TEST_SUITE_P(
    Made, OtherProgramsTars,
    ::testing::Values("tar --format=gnu -cf ../out.tar .", "tar --format=pax --xattrs -cf ../out.tar .",
                      "tar --format=posix --numeric-owner --owner=3000000 --group=3000000 -cf ../out.tar .",
                      "tar --format=gnu --numeric-owner --owner=3000000 --group=3000000 -cf ../out.tar .",
                      "tar --format=ustar --exclude='nnn*' --exclude='eee*' --exclude=long-link -cf ../out.tar .",

                      "tar --format=pax --mtime=@1700000000.25 -cf ../out.tar .",
                      "python3 -c 'import tarfile; t = tarfile.open(\"../out.tar\", \"w\"); t.add(\".\"); t.close()'",
                      "python3 -c 'import tarfile; t = tarfile.open(\"../out.tar\", \"w\", format=tarfile.GNU_FORMAT); "
                      "t.add(\".\"); t.close()'"));

// Whatever this writer writes, libarchive reads it the same.
TEST(TarWriterAndLibarchive, Agree) {
  StringSink sink;
  TarWriter writer(sink);
  const auto add = [&](std::string path, Type type, std::string target, std::string_view content, uint32_t id,
                       int64_t mtime) {
    TarEntry entry;
    entry.path = std::move(path);
    entry.type = type;
    entry.link_target = std::move(target);
    entry.mode = 0640;
    entry.uid = entry.gid = id;
    entry.mtime = mtime;
    entry.size = content.size();
    ASSERT_TRUE(writer.Add(entry).ok());
    if (!content.empty()) {
      ASSERT_TRUE(writer.WriteContent(AsBytes(content)).ok());
    }
  };
  add("", Type::kDirectory, "", "", 0, 0);
  add("f", Type::kFile, "", std::string(1000, 'x'), 3000000000, int64_t{1} << 33);
  add(std::string(250, 'n'), Type::kFile, "", "y", 2097152, 1700000000);
  add(std::string(150, 'p') + "/" + std::string(100, 'n'), Type::kDirectory, "", "", 7, 8);
  add("l", Type::kSymlink, std::string(300, 't'), "", 0, 1);
  add("h", Type::kHardlink, std::string(250, 'n'), "", 0, 1);
  ASSERT_TRUE(writer.Finish().ok());
  EXPECT_EQ(ByThisReader(sink.text), ByLibarchive(sink.text));
}

}  // namespace
}  // namespace hostapp
