// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/systemd_boot_install.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;

class SystemdBootInstall : public ::testing::Test {
 protected:
  Result<SystemdBootProgram> Read(const char* architecture) {
    return ReadSystemdBoot(architecture, context_.ctx, dir_.path());
  }
  void Put(const char* name, const char* content) { std::ofstream(dir_ / name) << content; }

  testing::TempDir dir_;
  testing::TestContext context_;
};

TEST_F(SystemdBootInstall, KnowsThePlacesForEachArchitecture) {
  Put("systemd-bootx64.efi", "MZ x64");
  Put("systemd-bootaa64.efi", "MZ aa64");
  const SystemdBootProgram amd64 = Read("amd64").value(), arm64 = Read("arm64").value();
  EXPECT_EQ(amd64.path, "EFI/systemd/systemd-bootx64.efi");
  EXPECT_EQ(amd64.fallback_path, "EFI/BOOT/BOOTX64.EFI");
  EXPECT_EQ(amd64.content, "MZ x64");
  EXPECT_EQ(arm64.path, "EFI/systemd/systemd-bootaa64.efi");
  EXPECT_EQ(arm64.fallback_path, "EFI/BOOT/BOOTAA64.EFI");
  EXPECT_EQ(arm64.content, "MZ aa64");
  EXPECT_EQ(Read("s390x").error().code(), Errc::kInvalid);
}

TEST_F(SystemdBootInstall, NamesThePackageWhenItIsNotInstalled) {
  const auto missing = Read("amd64");
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().code(), Errc::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("systemd-bootx64.efi; install the package systemd-boot-efi"));
}

TEST_F(SystemdBootInstall, RefusesAFileThatIsNoProgram) {
  Put("systemd-bootx64.efi", "");
  const auto damaged = Read("amd64");
  ASSERT_FALSE(damaged.ok());
  EXPECT_EQ(damaged.error().code(), Errc::kCorrupt);
}

}  // namespace
}  // namespace hostapp
