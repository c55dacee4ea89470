// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/grub_install.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

const GrubPlace kPlace = {.uuid = "5d3a1f0e-8c44-4f0a-9d21-0c6b7e5a9f31", .top = "/boot"};

uint64_t LittleEndian(std::string_view bytes, size_t offset, size_t size) {
  uint64_t value = 0;
  for (size_t i = size; i > 0; i--) value = value << 8 | static_cast<unsigned char>(bytes[offset + i - 1]);
  return value;
}

TEST(GrubInstall, LeadsFromTheBootCodeToTheCoreImage) {
  testing::TestContext context;
  const auto made = MakeGrubBios(kPlace, 0x123456789a, context.ctx);
  ASSERT_TRUE(made.ok()) << made.error().message();
  ASSERT_EQ(made->boot_code.size(), 440U);
  EXPECT_EQ(LittleEndian(made->boot_code, 0x5c, 8), 0x123456789aU);
  ASSERT_EQ(made->core.size() % 512, 0U);
  EXPECT_EQ(LittleEndian(made->core, 500, 8), 0x123456789bU);
  EXPECT_EQ(LittleEndian(made->core, 508, 2), made->core.size() / 512 - 1);
  EXPECT_EQ(LittleEndian(made->core, 510, 2), 0x820U);
}

TEST(GrubInstall, MakesTheSameBytesAgain) {
  testing::TestContext context;
  const auto bios = MakeGrubBios(kPlace, 2048, context.ctx), bios_again = MakeGrubBios(kPlace, 2048, context.ctx);
  ASSERT_TRUE(bios.ok() && bios_again.ok());
  EXPECT_TRUE(bios->core == bios_again->core && bios->boot_code == bios_again->boot_code);
  const auto efi = MakeGrubEfi(kPlace, context.ctx), efi_again = MakeGrubEfi(kPlace, context.ctx);
  ASSERT_TRUE(efi.ok() && efi_again.ok());
  EXPECT_TRUE(*efi == *efi_again);
  EXPECT_TRUE(efi->starts_with("MZ"));
  EXPECT_THAT(*efi, HasSubstr("--set=root " + kPlace.uuid + "\nsource ($root)/boot/hostapp/grub/grub.cfg\n"));
}

TEST(GrubInstall, RefusesWhatItsScriptWouldReadOtherwise) {
  testing::TestContext context;
  for (const char* uuid : {"", "a b", "a;reboot", "$x", "0123456789012345678901234567890123456"}) {
    const auto made = MakeGrubEfi({.uuid = uuid, .top = ""}, context.ctx);
    ASSERT_FALSE(made.ok()) << uuid;
    EXPECT_EQ(made.error().code(), Errc::kInvalid);
    EXPECT_THAT(made.error().message(), HasSubstr("is not the UUID of a file system"));
  }
  for (const char* top : {"boot", "/", "/boot/", "/bo ot", "/b;x", "/\"", "/$x"}) {
    const auto made = MakeGrubEfi({.uuid = "1A2B-3C4D", .top = top}, context.ctx);
    ASSERT_FALSE(made.ok()) << top;
    EXPECT_EQ(made.error().code(), Errc::kInvalid);
    EXPECT_THAT(made.error().message(), HasSubstr("is neither empty nor an absolute path"));
  }
  EXPECT_EQ(MakeGrubBios(kPlace, 0, context.ctx).error().code(), Errc::kInvalid);
}

TEST(GrubInstall, NamesThePackageThatIsMissing) {
  testing::TestContext context;
  const testing::TempDir empty;
  const GrubPlace place = {.uuid = kPlace.uuid, .top = "", .modules = empty.path()};
  const auto bios = MakeGrubBios(place, 2048, context.ctx);
  ASSERT_FALSE(bios.ok());
  EXPECT_EQ(bios.error().code(), Errc::kNotFound);
  EXPECT_THAT(bios.error().message(), HasSubstr("install the package grub-pc-bin"));
  const auto efi = MakeGrubEfi(place, context.ctx);
  ASSERT_FALSE(efi.ok());
  EXPECT_EQ(efi.error().code(), Errc::kNotFound);
  EXPECT_THAT(efi.error().message(), HasSubstr("install the package grub-efi-amd64-bin"));
}

TEST(GrubInstall, PassesOnWhatGrubMkimageSays) {
  testing::TestContext context;
  const testing::TempDir dir;
  fs::create_directory(fs::path(dir.path()) / "x86_64-efi");
  std::ofstream(fs::path(dir.path()) / "x86_64-efi/moddep.lst") << "normal:\n";
  const auto efi = MakeGrubEfi({.uuid = kPlace.uuid, .top = "", .modules = dir.path()}, context.ctx);
  ASSERT_FALSE(efi.ok());
  EXPECT_EQ(efi.error().code(), Errc::kIo);
  EXPECT_THAT(efi.error().message(), HasSubstr("grub-mkimage: error: cannot open"));
}

}  // namespace
}  // namespace hostapp
