// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/boot_mount.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "hostapp/base/strings.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using Header = std::array<std::byte, kFatHeaderBytes>;

// As mkfs.vfat writes it, as far as it is looked at.
Header Fat(const char* type, size_t type_at, size_t state_at, int state, int table_sectors) {
  Header header{};
  std::memcpy(&header[type_at], type, std::strlen(type));
  header[state_at] = static_cast<std::byte>(state);
  header[22] = static_cast<std::byte>(table_sectors);
  header[510] = std::byte{0x55};
  header[511] = std::byte{0xAA};
  return header;
}

TEST(IsUncleanFat, IsTheBitOfBothKinds) {
  EXPECT_TRUE(IsUncleanFat(Fat("FAT32   ", 82, 65, 1, 0)));
  EXPECT_TRUE(IsUncleanFat(Fat("FAT32   ", 82, 65, 3, 0)));
  EXPECT_FALSE(IsUncleanFat(Fat("FAT32   ", 82, 65, 2, 0)));
  EXPECT_TRUE(IsUncleanFat(Fat("FAT16   ", 54, 37, 1, 32)));
  EXPECT_FALSE(IsUncleanFat(Fat("FAT16   ", 54, 37, 0, 32)));
}

TEST(IsUncleanFat, IsOfNothingElse) {
  EXPECT_FALSE(IsUncleanFat(Header{}));
  EXPECT_FALSE(IsUncleanFat(Fat("NTFS    ", 82, 65, 1, 0)));
  EXPECT_FALSE(IsUncleanFat(Fat("FAT16   ", 54, 65, 1, 0)));
  Header unsigned_sector = Fat("FAT32   ", 82, 65, 1, 0);
  unsigned_sector[511] = std::byte{0};
  EXPECT_FALSE(IsUncleanFat(unsigned_sector));
}

// An empty ext4 on a loop device; "" where none can be had.
class LoopDevice {
 public:
  explicit LoopDevice(const std::string& file) {
    const std::string make = StrCat("PATH=$PATH:/usr/sbin:/sbin; truncate -s 4M ", file, " && mkfs.ext4 -q ", file,
                                    " && losetup -f --show ", file);
    const std::unique_ptr<FILE, decltype(&::pclose)> output(::popen(StrCat(make, " 2>/dev/null").c_str(), "r"),
                                                            &::pclose);
    std::array<char, 64> line{};
    if (output && std::fgets(line.data(), line.size(), output.get()) != nullptr) path_ = Trim(line.data());
  }
  ~LoopDevice() {
    if (!path_.empty()) (void)!std::system(StrCat("losetup -d ", path_).c_str());
  }
  LoopDevice(const LoopDevice&) = delete;
  LoopDevice& operator=(const LoopDevice&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(BootMount, StaysUntilTheLastOfItsOwnersIsGone) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root: it mounts";
  const testing::TempDir dir;
  const LoopDevice disk(dir / "disk");
  ASSERT_NE(disk.path(), "") << "losetup or mkfs.ext4 failed";
  testing::TestContext context;
  const std::string folder = dir / "boot-fs";
  // Two processes; their calls in one here.
  auto first = BootMount::Open(disk.path(), folder, context.ctx);
  ASSERT_TRUE(first.ok()) << first.error().message();
  auto second = BootMount::Open(disk.path(), folder, context.ctx);
  ASSERT_TRUE(second.ok()) << second.error().message();
  first->reset();
  EXPECT_TRUE(std::filesystem::exists((*second)->path() + "/lost+found")) << "the second would write to what is below";
  second->reset();
  EXPECT_FALSE(std::filesystem::exists(folder + "/lost+found"));
}

}  // namespace
}  // namespace hostapp
