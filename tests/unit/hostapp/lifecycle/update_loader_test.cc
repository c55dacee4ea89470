// SPDX-License-Identifier: Apache-2.0
#include "hostapp/lifecycle/update_loader.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "hostapp/lifecycle/update_grub.h"
#include "ostree-integration/deploy/loaders/systemd_boot_install.h"
#include "ostree-integration/sysroot/open_loader.h"
#include "tests/support/test_image.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;

struct UpdateLoaderTest : ::testing::Test {
  void SetUp() override {
    Has(LoaderKind::kSystemdBoot);
    testing::WriteText(StrCat(programs.path(), "/", paths.path.substr(paths.path.rfind('/') + 1)), "MZ new");
    testing::WriteText(OnBoot(paths.path), "MZ old");
    testing::WriteText(OnBoot(paths.fallback_path), "MZ first");
  }
  void Has(LoaderKind kind) {
    ASSERT_TRUE(WriteLoaderConfig(sysroot.Open(), {.kind = kind, .boot = {}, .esp = {}}, sysroot.ctx()).ok());
  }
  std::string OnBoot(const std::string& path) { return StrCat(sysroot.boot(), "/", path); }
  Result<LoaderUpdate> Update(std::string efivars = {}) {
    SysrootPaths with = sysroot.paths();
    with.efivars = std::move(efivars);
    return UpdateLoader(OpenDevice(with, sysroot.ctx()).value(), sysroot.ctx(), {.systemd_boot = programs.path()});
  }

  testing::TestSysrootWithStore sysroot;
  const testing::TempDir programs;
  const SystemdBootProgram paths = SystemdBootPaths(HostPlatform().architecture).value();
};

TEST_F(UpdateLoaderTest, ReplacesWhatBootOptionsNameAndKeepsTheFallBack) {
  const Result<LoaderUpdate> update = Update();
  ASSERT_TRUE(update.ok()) << update.error().message();
  EXPECT_TRUE(update->changed);
  EXPECT_EQ(testing::ReadText(OnBoot(paths.path)), "MZ new");
  EXPECT_EQ(testing::ReadText(OnBoot(paths.fallback_path)), "MZ first");
  EXPECT_FALSE(Update()->changed);
}

TEST_F(UpdateLoaderTest, MakesOneThatACutHasEmptied) {
  testing::WriteText(OnBoot(paths.path), "");
  EXPECT_TRUE(Update()->changed);
  EXPECT_EQ(testing::ReadText(OnBoot(paths.path)), "MZ new");
}

TEST_F(UpdateLoaderTest, RefusesWithoutAFallBack) {
  testing::WriteText(OnBoot(paths.fallback_path), "");
  const Result<LoaderUpdate> update = Update();
  ASSERT_FALSE(update.ok());
  EXPECT_EQ(update.error().code(), Errc::kCorrupt);
  EXPECT_EQ(testing::ReadText(OnBoot(paths.path)), "MZ old");
}

TEST_F(UpdateLoaderTest, RefusesEveryOtherLoaderByName) {
  const std::vector<std::pair<LoaderKind, const char*>> others = {{LoaderKind::kUboot, "U-Boot"},
                                                                  {LoaderKind::kNone, "no boot loader"}};
  for (const auto& [kind, words] : others) {
    Has(kind);
    const Result<LoaderUpdate> update = Update();
    ASSERT_FALSE(update.ok());
    EXPECT_EQ(update.error().code(), Errc::kInvalid);
    EXPECT_THAT(update.error().message(), HasSubstr(words));
  }
  EXPECT_EQ(testing::ReadText(OnBoot(paths.path)), "MZ old");
}

TEST_F(UpdateLoaderTest, RefusesGrubForBios) {
  Has(LoaderKind::kGrub);
  const testing::TempDir nothing_mounted;
  for (const std::string& efivars : {std::string(), nothing_mounted.path()}) {
    const Result<LoaderUpdate> update = Update(efivars);
    EXPECT_EQ(update.error().code(), Errc::kInvalid);
    EXPECT_THAT(update.error().message(), HasSubstr("core image for BIOS"));
  }
}

TEST_F(UpdateLoaderTest, RefusesGrubWhosePartitionsNobodyNames) {
  Has(LoaderKind::kGrub);
  const testing::TempDir efivars;
  testing::WriteText(StrCat(efivars.path(), "/Timeout-8be4df61-93ca-11d2-aa0d-00e098032b8c"), std::string(6, '\0'));
  const Result<LoaderUpdate> update = Update(efivars.path());
  EXPECT_EQ(update.error().code(), Errc::kInvalid);
  EXPECT_THAT(update.error().message(), HasSubstr("loader.json does not name"));
}

TEST_F(UpdateLoaderTest, PutsGrubBesideTheOneThatTheDiskWasMadeWith) {
  const testing::TempDir esp;
  const UniqueFd top = OpenDir(AT_FDCWD, esp.path(), sysroot.ctx().sys).value();
  const GrubPlace place{.uuid = "1A2B-3C4D", .top = ""};
  EXPECT_EQ(ReplaceGrub(top.get(), place, sysroot.ctx()).error().code(), Errc::kCorrupt);
  const std::string fall_back = StrCat(esp.path(), "/", kGrubEfiFallBackPath);
  testing::WriteText(fall_back, "MZ first");
  const Result<LoaderUpdate> update = ReplaceGrub(top.get(), place, sysroot.ctx());
  ASSERT_TRUE(update.ok()) << update.error().message();
  EXPECT_TRUE(update->changed);
  EXPECT_EQ(HashOf(AsBytes(testing::ReadText(StrCat(esp.path(), "/", kGrubEfiPath)))), update->program);
  EXPECT_EQ(testing::ReadText(fall_back), "MZ first");
  EXPECT_FALSE(ReplaceGrub(top.get(), place, sysroot.ctx())->changed);
}

TEST_F(UpdateLoaderTest, RefusesUnderSecureBoot) {
  const testing::TempDir efivars;
  const std::string name = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
  testing::WriteText(StrCat(efivars.path(), "/", name), std::string("\6\0\0\0\1", 5));
  EXPECT_EQ(Update(efivars.path()).error().code(), Errc::kInvalid);
  EXPECT_EQ(testing::ReadText(OnBoot(paths.path)), "MZ old");
  testing::WriteText(StrCat(efivars.path(), "/", name), std::string("\6\0\0\0\0", 5));
  EXPECT_TRUE(Update(efivars.path()).ok());
}

TEST_F(UpdateLoaderTest, RefusesWhatIsNoProgram) {
  testing::WriteText(StrCat(programs.path(), "/", paths.path.substr(paths.path.rfind('/') + 1)), "text");
  EXPECT_EQ(Update().error().code(), Errc::kCorrupt);
}

}  // namespace
}  // namespace hostapp
