// SPDX-License-Identifier: Apache-2.0
#include "hostapp/boot/firmware.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/base/durable.h"
#include "hostapp/boot/reconcile.h"
#include "hostapp/boot/status.h"
#include "ostree-integration/deploy/loaders/efi_boot_options.h"
#include "ostree-integration/sysroot/open_loader.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TestSysroot;

// Of a partition that no machine has.
constexpr const char* kGuid = "0badc0de-41f3-4a9e-b7c5-2f9d0e63c417";

// Deployment 1 is the default and runs; the firmware's variables are a folder.
struct UefiDevice : TestSysroot {
  explicit UefiDevice(LoaderKind kind = LoaderKind::kSystemdBoot)
      : quiet_ctx{.clock = context().clock,
                  .log = context().log,
                  .progress = context().progress,
                  .cancel = {},
                  .sys = quiet} {
    const std::string partition = StrCat("PARTUUID=", kGuid);
    CHECK(WriteLoaderConfig(Open(), {.kind = kind, .boot = partition, .esp = partition}, ctx()).ok());
    Add(testing::SampleDeployment(1), true);
    SetDefault(LoadDeployment(Open(), 1).value());
    testing::WriteText(efivars() + "/Timeout-8be4df61-93ca-11d2-aa0d-00e098032b8c", std::string(6, '\0'));
  }
  std::string efivars() const { return root() + "-efivars"; }
  Device device() {
    SysrootPaths where = paths();
    where.efivars = efivars();
    return OpenDevice(where, quiet_ctx).value();
  }
  // As PrepareFirmware() does on a machine that has the partition.
  void Tell(int options, const char* path = "\\EFI\\systemd\\systemd-bootx64.efi") {
    const EfiBootOption option{.active = true, .description = "d", .partition = {.guid = kGuid}, .path = path};
    const UniqueFd dir = OpenDir(AT_FDCWD, efivars(), ctx().sys).value();
    CHECK(EnsureEfiBootOptions(dir.get(), option, options, ctx()).ok());
  }
  std::vector<std::string> Warnings() { return GetStatus(device(), quiet_ctx).value().warnings; }

  testing::FaultySyscalls quiet;  // does not freeze the machine
  OpContext quiet_ctx;
};

TEST(Firmware, ThatIsNotToldIsAWarningOfStatus) {
  UefiDevice device;
  EXPECT_THAT(device.Warnings(), Contains(HasSubstr("the first 4 boot options are not all for it")));
  device.Tell(3);
  EXPECT_THAT(device.Warnings(), Contains(HasSubstr("the first 4 boot options are not all for it")));
  device.Tell(4);
  EXPECT_THAT(device.Warnings(), IsEmpty());
}

TEST(Firmware, NeedsAnOptionForEachTryOfTheTrialAndOneMore) {
  UefiDevice device;
  device.Add(testing::SampleDeployment(2), false);
  device.SetTrial(LoadDeployment(device.Open(), 2).value(), 7);
  device.Tell(7);
  EXPECT_THAT(device.Warnings(), Contains(HasSubstr("the first 8 boot options")));
  device.Tell(8);
  EXPECT_THAT(device.Warnings(), IsEmpty());
}

TEST(Firmware, OptionsForAnotherProgramDoNotCount) {
  UefiDevice device;
  device.Tell(4, "\\EFI\\BOOT\\BOOTX64.EFI");
  EXPECT_THAT(device.Warnings(), Contains(HasSubstr("the first 4 boot options")));
}

TEST(Firmware, WithoutVariablesIsAWarningAndNoFailure) {
  UefiDevice device;
  std::filesystem::remove_all(device.efivars());
  EXPECT_THAT(device.Warnings(), Contains(HasSubstr("the machine was not started by UEFI firmware")));
  EXPECT_EQ(PrepareFirmware(device.device(), device.quiet_ctx).error().code(), Errc::kNotFound);
  EXPECT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
  EXPECT_THAT(device.context().log.warnings(),
              Contains(HasSubstr("telling the firmware to start the boot loader again")));
  const Sysroot sysroot = device.Open();
  EXPECT_EQ(OpenLoader(sysroot).value()->Read().value().default_serial, 1U);
}

TEST(Firmware, WhosePartitionIsNotThereIsAWarningAndNoFailure) {
  UefiDevice device;
  EXPECT_THAT(PrepareFirmware(device.device(), device.quiet_ctx).error().message(), HasSubstr(kGuid));
  EXPECT_TRUE(Reconcile(device.device(), device.quiet_ctx).ok());
}

TEST(Firmware, IsLeftAloneWithOtherLoadersAndOffTheDevice) {
  UefiDevice grub(LoaderKind::kGrub);
  EXPECT_TRUE(PrepareFirmware(grub.device(), grub.quiet_ctx).ok());
  EXPECT_THAT(grub.Warnings(), IsEmpty());
  UefiDevice device;
  const Device elsewhere = OpenDevice(device.paths(), device.quiet_ctx).value();
  EXPECT_TRUE(PrepareFirmware(elsewhere, device.quiet_ctx).ok());
  EXPECT_EQ(WhatFirmwareLacks(elsewhere, device.quiet_ctx), std::nullopt);
}

}  // namespace
}  // namespace hostapp
