// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/ext4_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "hostapp/base/durable.h"
#include "hostapp/base/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int64_t kTime = 1700000000;

class Ext4Writer : public ::testing::Test {
 protected:
  Ext4Writer() { std::filesystem::create_directory(tree()); }

  const std::string& tree() const { return tree_; }
  std::string image() const { return dir_ / "image"; }

  // A file of the tree, and its attributes as the recorder is to know them.
  void File(const std::string& name, std::string_view content, mode_t mode = 0644, uid_t uid = 0, gid_t gid = 0) {
    std::ofstream(tree() + "/" + name, std::ios::binary) << content;
    const UniqueFd fd(::open((tree() + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(sys_->Fchown(fd.get(), uid, gid), 0);
    ASSERT_EQ(sys_->Fchmod(fd.get(), mode), 0);
  }
  void Xattr(const std::string& name, const std::string& key, std::string_view value) {
    ASSERT_EQ(sys_->LsetxattrAt(AT_FDCWD, (tree() + "/" + name).c_str(), key.c_str(), value.data(), value.size()), 0);
  }
  void Folder(const std::string& name) { std::filesystem::create_directory(tree() + "/" + name); }
  void HardLink(const std::string& from, const std::string& to) {
    std::filesystem::create_hard_link(tree() + "/" + from, tree() + "/" + to);
  }

  Result<TreeSize> Measure() {
    const UniqueFd fd(::open(tree().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return MeasureTree(fd.get(), Source(), context_.ctx);
  }
  Ext4Options Options(uint64_t bytes, const TreeSize& size) const {
    return {.offset = kMiB,
            .bytes = bytes,
            .inodes = Ext4Inodes(bytes, size),
            .label = "test-root",
            .uuid = DeriveUuid(HashOf(AsBytes("seed")), "uuid"),
            .hash_seed = DeriveUuid(HashOf(AsBytes("seed")), "hash"),
            .time = kTime};
  }
  // Into image(), as small as it may be where `bytes` is zero.
  Status Write(uint64_t bytes = 0) {
    ASSIGN_OR_RETURN(const TreeSize size, Measure());
    if (bytes == 0) bytes = SmallestExt4(size, 0);
    std::ofstream(image(), std::ios::trunc).close();
    std::filesystem::resize_file(image(), bytes + 2 * kMiB);
    const UniqueFd fd(::open(tree().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return WriteExt4(image(), Options(bytes, size), fd.get(), size, Source(), context_.ctx);
  }
  void WriteClean(uint64_t bytes = 0) {
    const Status written = Write(bytes);
    ASSERT_TRUE(written.ok()) << written.error().message();
    const ProgramResult check = Run({"e2fsck", "-fn", image() + "?offset=1048576"});
    ASSERT_TRUE(check.Succeeded()) << check.output;
    // It says what it found, even where it gives no bad exit status.
    ASSERT_THAT(check.output, Not(HasSubstr("Fix?")));
  }
  ProgramResult Run(std::vector<std::string> argv) {
    argv[0] = FindProgram(argv[0], "e2fsprogs").value();
    return RunProgram(argv, std::chrono::seconds(100), context_.ctx).value();
  }
  std::string Debugfs(const std::string& request) {
    return Run({"debugfs", "-R", request, image() + "?offset=1048576"}).output;
  }
  std::string Dump(const std::string& name) {
    const std::string out = dir_ / "dumped";
    std::filesystem::remove(out);
    Debugfs("dump " + name + " " + out);
    std::ifstream file(out, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  std::string ImageHash() {
    std::ifstream file(image(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    return HashOf(AsBytes(bytes)).Hex();
  }
  AttributeSource Source() {
    return [this](const struct stat& info) { return sys_->AttributesOf(info); };
  }

  testing::TempDir dir_;
  std::string tree_ = dir_ / "tree";
  testing::TestContext context_;
  std::unique_ptr<RecordingSyscalls> sys_ = std::make_unique<RecordingSyscalls>();
};

TEST_F(Ext4Writer, KeepsOwnersModesAndTheFixedTime) {
  File("plain", "hello\n");
  File("program", "x", 04755, 70000, 100000);
  Folder("folder");
  WriteClean();
  EXPECT_EQ(Dump("/plain"), "hello\n");
  const std::string plain = Debugfs("stat /plain");
  EXPECT_THAT(plain, ContainsRegex("Type: regular +Mode: +0644"));
  EXPECT_THAT(plain, ContainsRegex("User: +0 +Group: +0 +Project: +0 +Size: 6"));
  for (const std::string name : {"ctime", "atime", "mtime", "crtime"}) {
    EXPECT_THAT(plain, ContainsRegex(name + ": 0x6553f100:00000000"));
  }
  const std::string program = Debugfs("stat /program");
  EXPECT_THAT(program, ContainsRegex("Mode: +04755"));
  EXPECT_THAT(program, ContainsRegex("User: +70000 +Group: +100000"));
  EXPECT_THAT(Debugfs("stat /folder"), ContainsRegex("Type: directory +Mode: +0755"));
  EXPECT_THAT(Debugfs("stats"), HasSubstr("test-root"));
}

TEST_F(Ext4Writer, KeepsTimesOfTheirOwnBefore1970AndAfter2038) {
  File("old", "");
  File("new", "");
  for (const auto& [name, time] : {std::pair("old", int64_t{-86400}), std::pair("new", int64_t{5000000000})}) {
    const UniqueFd fd(::open((tree() + "/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    const timespec times[2] = {{time, 0}, {time, 0}};
    ASSERT_EQ(sys_->Futimens(fd.get(), times), 0);
  }
  WriteClean();
  EXPECT_THAT(Debugfs("stat /old"), ContainsRegex("mtime: 0xfffeae80:00000000 -- Wed Dec 31"));
  // 5000000000 is 0x1_2a05f200: one epoch on.
  EXPECT_THAT(Debugfs("stat /new"), ContainsRegex("mtime: 0x2a05f200:00000001"));
}

TEST_F(Ext4Writer, KeepsExtendedAttributesSmallAndLarge) {
  File("capable", "x");
  Folder("marked");
  const std::string capability("\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", 20);
  Xattr("capable", "security.capability", capability);
  Xattr("capable", "user.large", std::string(2000, 'v'));
  Xattr("marked", "trusted.overlay.opaque", "y");
  WriteClean();
  EXPECT_THAT(Debugfs("ea_get -x /capable security.capability"),
              HasSubstr("01 00 00 02 00 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00"));
  EXPECT_THAT(Debugfs("ea_get /capable user.large"), HasSubstr(std::string(2000, 'v')));
  EXPECT_THAT(Debugfs("ea_get /marked trusted.overlay.opaque"), HasSubstr("= \"y\""));
}

TEST_F(Ext4Writer, KeepsNamesOfOneFileOneFile) {
  File("a", "shared");
  Folder("below");
  HardLink("a", "below/b");
  HardLink("a", "c");
  std::filesystem::create_symlink("target", tree() + "/link");
  HardLink("link", "link2");
  WriteClean();
  EXPECT_THAT(Debugfs("stat /a"), HasSubstr("Links: 3"));
  EXPECT_EQ(Debugfs("stat /a"), Debugfs("stat /below/b"));
  EXPECT_EQ(Debugfs("stat /a"), Debugfs("stat /c"));
  EXPECT_THAT(Debugfs("stat /link2"), HasSubstr("Links: 2"));
}

TEST_F(Ext4Writer, KeepsShortAndLongLinks) {
  const std::string longest_fast(59, 'f');
  const std::string shortest_slow(60, 's');
  const std::string very_long(4095, 'l');
  std::filesystem::create_symlink(longest_fast, tree() + "/fast");
  std::filesystem::create_symlink(shortest_slow, tree() + "/slow");
  std::filesystem::create_symlink(very_long, tree() + "/long");
  WriteClean();
  EXPECT_THAT(Debugfs("stat /fast"), HasSubstr("Fast link dest: \"" + longest_fast + "\""));
  EXPECT_THAT(Debugfs("stat /slow"), ContainsRegex("Type: symlink +Mode: +0777"));
  EXPECT_EQ(Debugfs("cat /slow").find(shortest_slow) != std::string::npos, true);
  EXPECT_NE(Debugfs("cat /long").find(very_long.substr(0, 3000)), std::string::npos);
}

TEST_F(Ext4Writer, LeavesLongZerosOutAndKeepsShortOnes) {
  std::string content(300 * 1024, '\0');
  content.front() = 'a';
  content.back() = 'z';
  File("holed", content);
  File("zeros", std::string(8192, '\0'));
  WriteClean();
  EXPECT_EQ(Dump("/holed"), content);
  EXPECT_EQ(Dump("/zeros"), std::string(8192, '\0'));
  // 64 KiB at either end, and the rest of the last unit.
  EXPECT_THAT(Debugfs("stat /holed"), HasSubstr("(0-15):"));
  EXPECT_THAT(Debugfs("stat /holed"), HasSubstr("(64-74):"));
  // Overwritten in place, as the boot ledger is, it needs no block.
  EXPECT_THAT(Debugfs("stat /zeros"), HasSubstr("(0-1):"));
}

TEST_F(Ext4Writer, KeepsAFileOfMoreThan2GiB) {
  File("big", "begin");
  const uint64_t bytes = (uint64_t{5} << 29) + 3;  // 2.5 GiB
  std::filesystem::resize_file(tree() + "/big", bytes);
  {
    std::fstream file(tree() + "/big", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(bytes - 3));
    file << "end";
  }
  WriteClean();
  const std::string stat = Debugfs("stat /big");
  EXPECT_THAT(stat, HasSubstr("Size: 2684354563"));
  EXPECT_THAT(stat, HasSubstr("(0-15):"));
  EXPECT_THAT(stat, HasSubstr("(655360):"));
  struct stat info {};
  ASSERT_EQ(::stat(image().c_str(), &info), 0);
  EXPECT_LT(static_cast<uint64_t>(info.st_blocks) * 512, 8 * kMiB);
}

TEST_F(Ext4Writer, FindsEveryNameOfAFolderWith20000) {
  Folder("many");
  const std::string longest(250, 'n');
  for (int i = 0; i < 20000; ++i) File(StrCat("many/", longest, 10000 + i), i % 100 == 0 ? StrCat(i) : "");
  WriteClean();
  for (const int i : {0, 9900, 19900}) EXPECT_EQ(Dump(StrCat("/many/", longest, 10000 + i)), StrCat(i));
  // With a hash tree (0x1000).
  EXPECT_THAT(Debugfs("stat /many"), HasSubstr("Flags: 0x81000"));
}

TEST_F(Ext4Writer, KeepsNamesOf255Bytes) {
  const std::string name = std::string(127, 'a') + std::string(128, '\xff');
  File(name, "named");
  WriteClean();
  EXPECT_EQ(Dump("/" + name), "named");
}

TEST_F(Ext4Writer, BeginsACopyWhenAFileHasAllNamesThatExt4Allows) {
  // A file system that allows more.
  const testing::TempDir in_memory("/dev/shm");
  tree_ = in_memory.path();
  File("0", "same", 0640, 5, 6);
  for (int i = 1; i < 65010; ++i) {
    std::error_code error;
    std::filesystem::create_hard_link(tree() + "/0", StrCat(tree(), "/", i), error);
    ASSERT_FALSE(error) << i << " " << error.message();
  }
  WriteClean();
  EXPECT_THAT(Debugfs("stat /0"), HasSubstr("Links: 65000"));
  // The last by name.
  const std::string copy = Debugfs("stat /9999");
  EXPECT_THAT(copy, HasSubstr("Links: 10"));
  EXPECT_THAT(copy, ContainsRegex("Mode: +0640"));
  EXPECT_EQ(Dump("/9999"), "same");
}

TEST_F(Ext4Writer, WritesTheSameBytesEachTime) {
  File("b", "two", 0600, 5, 6);
  File("a", std::string(100000, 'x'));
  Folder("z");
  HardLink("a", "z/a");
  Xattr("b", "user.k", "v");
  WriteClean();
  const std::string first = ImageHash();
  // The same tree made in another order, so that nothing of it has the inode it had.
  std::filesystem::remove_all(tree());
  std::filesystem::create_directory(tree());
  sys_ = std::make_unique<RecordingSyscalls>();
  Folder("z");
  File("z/a", std::string(100000, 'x'));
  HardLink("z/a", "a");
  File("b", "two", 0600, 5, 6);
  Xattr("b", "user.k", "v");
  WriteClean();
  EXPECT_EQ(ImageHash(), first);
}

TEST_F(Ext4Writer, SaysWhatIsMissingWhenTheContentDoesNotFit) {
  File("large", std::string(40 * kMiB, 'x'));
  const Status written = Write(32 * kMiB);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().code(), Errc::kNoSpace);
  EXPECT_THAT(written.error().message(), ContainsRegex("33554432 bytes has [0-9]+ bytes and [0-9]+ inodes free, the "
                                                       "content needs 4194[0-9]+ and 2"));
}

TEST_F(Ext4Writer, NeedsNoMoreThanWhatIsPlannedForAnyNumberOfFiles) {
  for (const int files : {0, 1, 100, 3000}) {
    for (int i = 0; i < files; ++i) File(StrCat(i), std::string(static_cast<size_t>(i % 5000), 'x'));
    WriteClean();
  }
}

TEST_F(Ext4Writer, RefusesWhatADiskImageCannotHold) {
  ASSERT_EQ(::mkfifo((tree() + "/pipe").c_str(), 0600), 0);
  const Result<TreeSize> size = Measure();
  ASSERT_FALSE(size.ok());
  EXPECT_EQ(size.error().code(), Errc::kCorrupt);
  EXPECT_THAT(size.error().message(), HasSubstr("pipe is no file, folder or symbolic link"));
}

TEST_F(Ext4Writer, StopsWhenAsked) {
  File("a", "b");
  context_.ctx.cancel.Cancel();
  const Result<TreeSize> size = Measure();
  ASSERT_FALSE(size.ok());
  EXPECT_EQ(size.error().code(), Errc::kCancelled);
}

}  // namespace
}  // namespace hostapp
