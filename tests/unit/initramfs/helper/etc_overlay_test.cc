// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/etc_overlay.h"

#include "tests/unit/initramfs/helper/temp_tree.h"

namespace hostapp::initramfs {
namespace {

class PrepareEtcTest : public testing::Test {
 protected:
  PrepareEtcTest() {
    tree_.Folder("hostapp/deployments/1/root/usr/etc", 0755);
    tree_.Folder("hostapp/deployments/2/root/usr/etc", 0750);
    tree_.File("hostapp/deployments/1/root/usr/etc/name", "one");
    tree_.File("hostapp/deployments/2/root/usr/etc/name", "two");
  }
  void ChangeFirst() {
    tree_.File("hostapp/deployments/1/etc/upper/name", "admin");
    tree_.Folder("hostapp/deployments/1/etc/work");
  }
  Fd Tree(bootsel::Serial serial) const {
    return tree_.Open("hostapp/deployments/" + std::to_string(serial) + "/root");
  }
  bool Prepare(bootsel::Serial serial, bootsel::Serial from) {
    state_ = {};
    const Fd tree = Tree(serial);
    return PrepareEtc(Trees("", tree_.fd(), nullptr), tree.get(), serial, from, state_, why_);
  }
  TempTree tree_;
  EtcState state_;
  Problem why_;
};

TEST_F(PrepareEtcTest, StartsADeploymentWithoutChangesWithNone) {
  ASSERT_TRUE(Prepare(2, bootsel::kNoSerial)) << why_.text();
  EXPECT_FALSE(state_.copied);
  EXPECT_EQ(tree_.List("hostapp/deployments/2/etc"), "upper folder 0750\nwork folder 0700\n");
  EXPECT_EQ(tree_.List("hostapp/tmp"), "");
}

TEST_F(PrepareEtcTest, CopiesTheChangesOfTheDeploymentThatRan) {
  ChangeFirst();
  tree_.Whiteout("hostapp/deployments/1/etc/upper/removed");
  ASSERT_TRUE(Prepare(2, 1)) << why_.text();
  EXPECT_TRUE(state_.copied);
  EXPECT_EQ(tree_.List("hostapp/deployments/2/etc/upper"), "name file 0644 admin\nremoved whiteout\n");
}

TEST_F(PrepareEtcTest, CopiesOnceAndLeavesLaterChangesAlone) {
  ChangeFirst();
  ASSERT_TRUE(Prepare(2, 1));
  tree_.File("hostapp/deployments/2/etc/upper/name", "later");
  ASSERT_TRUE(Prepare(2, 1));
  EXPECT_FALSE(state_.copied);
  EXPECT_EQ(tree_.Read("hostapp/deployments/2/etc/upper/name"), "later");
}

TEST_F(PrepareEtcTest, BeginsAgainAfterACutInTheMiddle) {
  ChangeFirst();
  tree_.File("hostapp/tmp/etc-2/half", "x");
  ASSERT_TRUE(Prepare(2, 1)) << why_.text();
  EXPECT_EQ(tree_.List("hostapp/deployments/2/etc/upper"), "name file 0644 admin\n");
}

TEST_F(PrepareEtcTest, TakesTheChangesOutOfARealCopy) {
  tree_.File("hostapp/deployments/1/etc/tree/added", "admin");
  ASSERT_TRUE(Prepare(2, 1)) << why_.text();
  EXPECT_EQ(tree_.List("hostapp/deployments/2/etc/upper"), "added file 0644 admin\nname whiteout\n");
  ASSERT_TRUE(Prepare(1, bootsel::kNoSerial));
  EXPECT_EQ(state_.form, EtcForm::kCopy) << "its own changes are in the copy, also where there is an overlayfs now";
}

TEST_F(PrepareEtcTest, MakesTheRealCopyOfImageAndChanges) {
  ChangeFirst();
  tree_.File("hostapp/deployments/1/root/usr/etc/other", "image");
  ASSERT_TRUE(Prepare(1, bootsel::kNoSerial));
  ASSERT_TRUE(PrepareEtcCopy(tree_.fd(), Tree(1).get(), 1, state_, why_)) << why_.text();
  EXPECT_EQ(tree_.List("hostapp/deployments/1/etc/tree"), "name file 0644 admin\nother file 0644 image\n");
}

TEST_F(PrepareEtcTest, SaysWhichDeploymentHasNoEtc) {
  EXPECT_FALSE(Prepare(3, bootsel::kNoSerial));
  EXPECT_EQ(why_.text(), "making hostapp/deployments/3/etc: No such file or directory");
}

TEST(EtcSource, IsTheDeploymentThatRanWhenTheTrialWasDeployed) {
  bootsel::Ledger ledger;
  ledger.default_deployment.serial = 1;
  ledger.trial.serial = 3;
  EXPECT_EQ(EtcSource(&ledger, 3), 1U) << "the default, if the ledger does not say";
  ledger.trial.etc_from = 2;
  EXPECT_EQ(EtcSource(&ledger, 3), 2U);
  EXPECT_EQ(EtcSource(&ledger, 4), 1U);
  EXPECT_EQ(EtcSource(&ledger, 1), bootsel::kNoSerial);
  EXPECT_EQ(EtcSource(nullptr, 1), bootsel::kNoSerial);
}

}  // namespace
}  // namespace hostapp::initramfs
