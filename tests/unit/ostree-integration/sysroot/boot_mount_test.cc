// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/boot_mount.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>

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

}  // namespace
}  // namespace hostapp
