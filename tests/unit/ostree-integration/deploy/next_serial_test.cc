// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "ostree-integration/deploy/create_deployment.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using testing::TestSysroot;

TEST(NextSerial, IsAboveEveryFolderAndEverySerialOfTheLedger) {
  TestSysroot sysroot;
  EXPECT_EQ(NextSerial(sysroot.Open()).value(), 1u);
  testing::WriteText(sysroot.DeploymentPath(4) + "/root/x", "incomplete");
  EXPECT_EQ(NextSerial(sysroot.Open()).value(), 5u);
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.last_failure.serial = 8; });
  EXPECT_EQ(NextSerial(sysroot.Open()).value(), 9u);
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.distrusted_up_to = 20; });
  EXPECT_EQ(NextSerial(sysroot.Open()).value(), 21u) << "or the new one would not be trusted";
}

TEST(NextSerial, DoesNotBeginAgainBehindTheLastOne) {
  TestSysroot sysroot;
  testing::WriteText(sysroot.DeploymentPath(bootsel::kMaxSerial - 1) + "/root/x", "incomplete");
  EXPECT_EQ(NextSerial(sysroot.Open()).value(), bootsel::kMaxSerial);
  for (const char* const name : {"9223372036854775807", "18446744073709551615"}) {
    TestSysroot full;
    testing::WriteText(StrCat(full.root(), "/hostapp/deployments/", name, "/root/x"), "incomplete");
    const Result<DeploymentSerial> next = NextSerial(full.Open());
    ASSERT_FALSE(next.ok()) << name << ": " << *next;
    EXPECT_EQ(next.error().code(), Errc::kCorrupt);
  }
}

}  // namespace
}  // namespace hostapp
