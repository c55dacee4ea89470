// SPDX-License-Identifier: Apache-2.0
// Asking for a factory reset: the order of its two records.
#include "hostapp/lifecycle/factory_reset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "initramfs/bootsel/reset_request.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using testing::TestSysroot;

struct UsedDevice : TestSysroot {
  UsedDevice() {
    SetDefault(Add(1));
    testing::WriteText(root() + "/hostapp/var/lib/app", "mine");
    testing::WriteText(DeploymentPath(1) + "/etc/upper/ssh/key", "k");
  }
  Device device() { return OpenDevice(paths(), ctx()).value(); }
  std::string request() const { return root() + "/hostapp/factory-reset"; }
};

TEST(RequestFactoryReset, HasItsFileOnDiskBeforeTheLedgerNamesIt) {
  UsedDevice sysroot;
  testing::ForEveryFailingCall(
      EIO, testing::FaultySyscalls::Which::kThatAndAllAfter,
      [&] {
        std::filesystem::remove(sysroot.request());
        sysroot.Edit([](bootsel::Ledger& ledger) { ledger.pending_action = 0; });
        testing::WriteText(sysroot.root() + "/hostapp/reset/old-var/of-an-earlier-one", "");
      },
      [&](Syscalls& sys) -> Status {
        OpContext ctx{sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, sys};
        return RequestFactoryReset(sysroot.device(), {"/var/lib/app", "/etc/ssh"}, ctx).status();
      },
      [&](const testing::FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
        if (sysroot.Ledger().pending_action == 0) {
          EXPECT_FALSE(status.ok());
          return;
        }
        EXPECT_EQ(testing::ReadText(sysroot.request()), "hostapp factory-reset 1\n/etc/ssh\n/var/lib/app\n")
            << sys.failed_call();
        EXPECT_FALSE(std::filesystem::exists(sysroot.root() + "/hostapp/reset")) << sys.failed_call();
      });
}

TEST(CancelFactoryReset, TakesTheLedgersWordBackBeforeTheFileGoes) {
  UsedDevice sysroot;
  testing::ForEveryFailingCall(
      EIO, testing::FaultySyscalls::Which::kThatAndAllAfter,
      [&] { ASSERT_TRUE(RequestFactoryReset(sysroot.device(), {"/var/lib/app"}, sysroot.ctx()).ok()); },
      [&](Syscalls& sys) {
        OpContext ctx{sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, sys};
        return CancelFactoryReset(sysroot.device(), ctx);
      },
      [&](const testing::FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
        const bool waits = sysroot.Ledger().pending_action == bootsel::kFactoryReset;
        EXPECT_TRUE(!waits || std::filesystem::exists(sysroot.request())) << sys.failed_call();
      });
}

TEST(RequestFactoryReset, KeepsNoPathThatAnotherOneCovers) {
  UsedDevice sysroot;
  EXPECT_THAT(
      RequestFactoryReset(sysroot.device(), {"/var/lib/app", "/etc/ssh", "/var/lib", "/etc/ssh/key"}, sysroot.ctx())
          .value(),
      ElementsAre("/etc/ssh", "/var/lib"));
}

TEST(RequestFactoryReset, LeavesAnActionOfANewerVersionAlone) {
  UsedDevice sysroot;
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.pending_action = 7; });
  EXPECT_EQ(RequestFactoryReset(sysroot.device(), {}, sysroot.ctx()).error().code(), Errc::kBusy);
  EXPECT_EQ(CancelFactoryReset(sysroot.device(), sysroot.ctx()).error().code(), Errc::kNotFound);
  EXPECT_EQ(sysroot.Ledger().pending_action, 7u);
}

}  // namespace
}  // namespace hostapp
