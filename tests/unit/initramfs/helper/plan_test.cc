// SPDX-License-Identifier: Apache-2.0
#include "initramfs/helper/plan.h"

#include <string>

#include "tests/unit/initramfs/helper/temp_tree.h"

namespace hostapp::initramfs {
namespace {

TreeFacts UsualTree() {
  TreeFacts tree;
  for (PlaceFacts& place : tree.places) place.kind = EntryKind::kDirectory;
  return tree;
}

std::string Text(const MountPlan& plan) {
  std::string text;
  for (const Step& step : plan.Steps()) {
    switch (step.kind) {
      case StepKind::kEtc:
        text += "etc";
        break;
      case StepKind::kPersistent:
        text += "bind " + std::string(step.source);
        break;
      case StepKind::kTmpfs:
        text += "tmpfs";
        break;
    }
    text += " /" + std::string(step.target) + "\n";
  }
  return text;
}

std::string PlanFor(const TreeFacts& tree) {
  MountPlan plan;
  Problem why;
  return MakePlan(7, tree, plan, why) ? Text(plan) : std::string(why.text());
}

TEST(MakePlan, BindsTheWritablePlacesOfAnOrdinaryImage) {
  EXPECT_EQ(PlanFor(UsualTree()),
            "etc /etc\nbind var /var\nbind var/home /home\nbind var/roothome /root\nbind var/srv /srv\n"
            "tmpfs /tmp\n");
}

TEST(MakePlan, BindsOptAndUsrLocalOnlyWhereTheImageHasNothingThere) {
  TreeFacts tree = UsualTree();
  tree[Place::kOpt].empty = true;
  tree[Place::kUsrLocal].empty = true;
  EXPECT_EQ(PlanFor(tree),
            "etc /etc\nbind var /var\nbind var/home /home\nbind var/roothome /root\nbind var/srv /srv\n"
            "bind var/opt /opt\nbind var/usrlocal /usr/local\ntmpfs /tmp\n");
}

TEST(MakePlan, LeavesWhatTheImageLinksOrLacksToTheImage) {
  TreeFacts tree = UsualTree();
  tree[Place::kHome].kind = EntryKind::kSymlink;
  tree[Place::kRoot].kind = EntryKind::kSymlink;
  tree[Place::kSrv].kind = EntryKind::kMissing;
  tree[Place::kOpt].kind = EntryKind::kFile;
  EXPECT_EQ(PlanFor(tree), "etc /etc\nbind var /var\ntmpfs /tmp\n");
}

TEST(MakePlan, NamesTheMountPointThatIsMissing) {
  for (const Place place : {Place::kUsr, Place::kEtc, Place::kUsrEtc, Place::kVar, Place::kSysroot, Place::kProc,
                            Place::kSys, Place::kDev, Place::kRun, Place::kTmp}) {
    for (const EntryKind kind : {EntryKind::kMissing, EntryKind::kSymlink, EntryKind::kFile}) {
      TreeFacts tree = UsualTree();
      tree[place].kind = kind;
      EXPECT_EQ(PlanFor(tree), "deployment 7: its tree has no folder /" + std::string(PlacePath(place)));
    }
  }
}

TEST(LookAtTree, TellsFoldersLinksAndEmptinessApart) {
  TempTree tree;
  tree.Folder("usr/etc");
  tree.Folder("opt");
  tree.Folder("usr/local/bin");
  tree.Link("home", "var/home");
  tree.File("srv", "");
  const TreeFacts facts = LookAtTree(tree.fd());
  EXPECT_EQ(facts[Place::kUsrEtc].kind, EntryKind::kDirectory);
  EXPECT_TRUE(facts[Place::kOpt].empty);
  EXPECT_FALSE(facts[Place::kUsrLocal].empty);
  EXPECT_EQ(facts[Place::kHome].kind, EntryKind::kSymlink);
  EXPECT_EQ(facts[Place::kSrv].kind, EntryKind::kFile);
  EXPECT_EQ(facts[Place::kVar].kind, EntryKind::kMissing);
}

}  // namespace
}  // namespace hostapp::initramfs
