// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/fat_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hostapp/base/durable.h"
#include "hostapp/base/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kOffset = kMiB;

class FatWriter : public ::testing::Test {
 protected:
  FatWriter() { std::filesystem::create_directory(tree()); }

  std::string tree() const { return dir_ / "tree"; }
  std::string image() const { return dir_ / "image"; }
  void File(const std::string& path, std::string_view content) {
    const std::filesystem::path at = tree() + "/" + path;
    std::filesystem::create_directories(at.parent_path());
    std::ofstream(at, std::ios::binary) << content;
  }
  Status Write(uint64_t bytes = 64 * kMiB) {
    std::ofstream(image(), std::ios::binary).close();
    std::filesystem::resize_file(image(), kOffset + bytes);
    const UniqueFd open = OpenDir(AT_FDCWD, tree(), context_.ctx.sys).value();
    const FatOptions options{
        .offset = kOffset, .bytes = bytes, .label = "TEST", .serial = 0x1A2B3C4D, .time = 1700000000};
    return WriteFatTree(image(), options, open.get(), context_.ctx);
  }
  ProgramResult Run(std::vector<std::string> argv) {
    argv[0] = FindProgram(argv[0], "mtools").value();
    return RunProgram(argv, std::chrono::seconds(60), context_.ctx, {"MTOOLS_SKIP_CHECK=1"}).value();
  }
  std::string Mtools(const char* program, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {program, "-i", image() + "@@1M"});
    return Run(arguments).output;
  }
  HashValue Hash() {
    std::ifstream in(image(), std::ios::binary);
    return HashOf(AsBytes(std::string(std::istreambuf_iterator<char>(in), {})));
  }

  testing::TempDir dir_;
  testing::TestContext context_;
};

TEST_F(FatWriter, WritesAFolderWithEverythingBelowIt) {
  File("boot.scr", "script");
  File("hostapp/SHA256SUMS", "sums");
  File("hostapp/dtb/vendor/board.dtb", "tree");
  File("hostapp/empty", "");
  std::filesystem::create_directory(tree() + "/none");
  ASSERT_TRUE(Write().ok());
  EXPECT_EQ(Mtools("mtype", {"::hostapp/dtb/vendor/board.dtb"}), "tree");
  EXPECT_EQ(Mtools("mtype", {"::hostapp/SHA256SUMS"}), "sums");
  EXPECT_EQ(Mtools("mtype", {"::hostapp/empty"}), "");
  const std::string names = Mtools("mdir", {"-/", "-b", "::"});
  for (const char* name : {"::/boot.scr\n", "::/hostapp/SHA256SUMS\n", "::/hostapp/empty\n", "::/none/\n"})
    EXPECT_THAT(names, HasSubstr(name));
}

TEST_F(FatWriter, IsTheSameWhateverTheOrderAndTimeOfTheFolder) {
  for (const char* name : {"a", "b", "c"}) File(name, name);
  ASSERT_TRUE(Write().ok());
  const HashValue first = Hash();
  std::filesystem::remove_all(tree());
  for (const char* name : {"c", "a", "b"}) File(name, name);
  ASSERT_TRUE(Write().ok());
  EXPECT_EQ(Hash(), first);
}

TEST_F(FatWriter, RefusesWhatFatCannotHold) {
  const auto refused = [&](const char* name) {
    std::filesystem::remove_all(tree());
    File(name, "");
    const Status status = Write();
    return status.ok() ? "nothing" : status.error().message();
  };
  for (const char* name : {"a:b", "question?", "end.", " front", "tab\t", "\xc3\xa4"})
    EXPECT_THAT(refused(name), HasSubstr("cannot be on a FAT boot file system")) << name;
  File("Board.dtb", "");
  File("board.dtb", "");
  std::filesystem::remove(tree() + "/\xc3\xa4");
  EXPECT_THAT(Write().error().message(), HasSubstr("differs from another one there by its case only"));
  std::filesystem::remove_all(tree());
  std::filesystem::create_directory(tree());
  std::filesystem::create_symlink("target", tree() + "/link");
  EXPECT_EQ(Write().error().code(), Errc::kCorrupt);
}

TEST_F(FatWriter, HasRoomForAsManyCopiesAsItWasMeasuredFor) {
  // Many small files, which take the most beside their content.
  for (int i = 0; i < 400; ++i) File(StrCat("set/a-device-tree-with-a-long-name-", i, ".dtb"), std::string(700, 'x'));
  File("set/initrd", std::string(30 * kMiB, 'i'));
  const UniqueFd open = OpenDir(AT_FDCWD, tree(), context_.ctx.sys).value();
  const TreeSize size = MeasureTree(
                            open.get(), [](const struct stat&) { return Attributes{}; }, context_.ctx)
                            .value();
  for (const char* copy : {"second", "third"}) std::filesystem::copy(tree() + "/set", tree() + "/" + copy);
  const uint64_t bytes = FatBytes(size, 3);
  EXPECT_LT(bytes, 120 * kMiB);
  const Status written = Write(bytes);
  ASSERT_TRUE(written.ok()) << written.error().message();
  EXPECT_EQ(FatBytes({.inodes = 1, .blocks = 1, .content_bytes = 1}, 3), 64 * kMiB);
}

TEST(FatUuid, IsAsBlkidPrintsIt) { EXPECT_EQ(FatUuid(0x1A2B3C4D), "1A2B-3C4D"); }

}  // namespace
}  // namespace hostapp
