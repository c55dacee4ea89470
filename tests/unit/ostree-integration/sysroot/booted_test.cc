// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/booted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using testing::TestSysroot;

Result<std::optional<Booted>> Read(TestSysroot& sysroot, std::string_view record) {
  testing::WriteText(sysroot.paths().boot_record, record);
  return ReadBooted(sysroot.Open());
}

TEST(ReadBooted, IsNothingOffTheDevice) {
  TestSysroot sysroot;
  EXPECT_EQ(ReadBooted(sysroot.Open()).value(), std::nullopt);
}

TEST(ReadBooted, ReadsWhatTheHelperWrites) {
  TestSysroot sysroot;
  const auto booted = Read(sysroot,
                           "format=1\nserial=12\nreason=default-gave-way\ntrial=no\nkernel=foreign\nasked=12\n"
                           "boot-set=\nledger-writable=no\nledger-remade=no\nroot=composefs\nroot-image=loop\n"
                           "root-store=ordinary\netc=overlay\nhelper=0.1.0\n");
  ASSERT_TRUE(booted.ok()) << booted.error().message();
  ASSERT_TRUE(booted->has_value());
  EXPECT_EQ((*booted)->serial, 12u);
  EXPECT_EQ((*booted)->reason, bootsel::Reason::kDefaultGaveWay);
  EXPECT_EQ((*booted)->kernel, bootsel::Kernel::kForeign);
  EXPECT_FALSE((*booted)->ledger_writable);
  const BootedRoot& root = (*booted)->root;
  EXPECT_EQ(root.root + " " + root.image + " " + root.store + " " + root.etc, "composefs loop ordinary overlay");
}

TEST(ReadBooted, KnowsEveryReasonAndKernel) {
  TestSysroot sysroot;
  for (int i = 0; i <= static_cast<int>(bootsel::Reason::kDefaultGaveWay); ++i) {
    const auto reason = static_cast<bootsel::Reason>(i);
    sysroot.Boot(1, bootsel::ReasonName(reason));
    EXPECT_EQ(ReadBooted(sysroot.Open()).value()->reason, reason);
  }
  for (const auto kernel : {bootsel::Kernel::kOwn, bootsel::Kernel::kOutside, bootsel::Kernel::kForeign}) {
    sysroot.Boot(1, "default", bootsel::KernelName(kernel));
    EXPECT_EQ(ReadBooted(sysroot.Open()).value()->kernel, kernel);
  }
}

TEST(ReadBooted, RefusesWhatItDoesNotUnderstandAndNamesIt) {
  TestSysroot sysroot;
  const std::pair<const char*, const char*> kWrong[] = {
      {"", "serial="},
      {"serial=0\nreason=default\nkernel=own\nledger-writable=yes\n", "serial=0"},
      {"serial=9223372036854775808\nreason=default\nkernel=own\nledger-writable=yes\n", "serial=9223372036854775808"},
      {"serial=x\nreason=default\nkernel=own\nledger-writable=yes\n", "serial=x"},
      {"serial=1\nreason=because\nkernel=own\nledger-writable=yes\n", "reason=because"},
      {"serial=1\nkernel=own\nledger-writable=yes\n", "reason="},
      {"serial=1\nreason=default\nkernel=mine\nledger-writable=yes\n", "kernel=mine"},
      {"serial=1\nreason=default\nkernel=own\nledger-writable=perhaps\n", "ledger-writable=perhaps"},
      {"serial=1\nreason=default\nkernel=own\n", "ledger-writable="},
  };
  for (const auto& [record, what] : kWrong) {
    const auto booted = Read(sysroot, record);
    ASSERT_FALSE(booted.ok()) << record;
    EXPECT_EQ(booted.error().code(), Errc::kCorrupt);
    EXPECT_THAT(booted.error().message(), HasSubstr(what));
  }
}

}  // namespace
}  // namespace hostapp
