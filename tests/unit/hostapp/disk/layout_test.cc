// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hostapp {
namespace {

using ::testing::HasSubstr;

TreeSize Tree(uint64_t mib) { return {.inodes = 1000, .blocks = mib * 256, .content_bytes = mib * kMiB}; }
HashValue Seed(std::string_view text) { return HashOf(AsBytes(text)); }
DiskLayout None() { return LayoutForNone("amd64").value(); }

TEST(PlanDisk, GivesTheWholeDiskToOneRootPartition) {
  const DiskPlan plan = PlanDisk(None(), Tree(100), 1024 * kMiB, Seed("a")).value();
  EXPECT_EQ(plan.bytes, 1024 * kMiB);
  ASSERT_EQ(plan.partitions.size(), 1U);
  const GptPartition& root = plan.partitions[0].partition;
  EXPECT_EQ(root.name, "hostapp-root");
  EXPECT_EQ(root.type.ToString(), "4f68bce3-e8cd-4db1-96e7-fbcaf984b709");
  EXPECT_EQ(root.offset, kMiB);
  EXPECT_EQ(root.bytes, 1022 * kMiB);
  EXPECT_FALSE(None().HasBootPartition());
}

TEST(PlanDisk, LeavesRoomForAnotherReleaseByDefault) {
  const DiskPlan plan = PlanDisk(None(), Tree(1000), std::nullopt, Seed("a")).value();
  EXPECT_GT(plan.bytes, (2000 + 256) * kMiB);
  EXPECT_LT(plan.bytes, (2000 + 256) * kMiB * 5 / 4);
  EXPECT_EQ(plan.bytes % kMiB, 0U);
}

TEST(PlanDisk, PutsALoadersPartitionsBeforeTheRoot) {
  DiskLayout layout = None();
  layout.before_root = {{.name = "esp", .type = DeriveUuid(Seed("t"), "t"), .bytes = 64 * kMiB},
                        {.name = "boot", .type = DeriveUuid(Seed("u"), "u"), .bytes = 128 * kMiB}};
  EXPECT_TRUE(layout.HasBootPartition());
  const DiskPlan plan = PlanDisk(layout, Tree(10), 512 * kMiB, Seed("a")).value();
  ASSERT_EQ(plan.partitions.size(), 3U);
  EXPECT_EQ(plan.partitions[0].partition.offset, kMiB);
  EXPECT_EQ(plan.partitions[1].partition.offset, 65 * kMiB);
  EXPECT_EQ(plan.partitions[2].partition.offset, 193 * kMiB);
  EXPECT_EQ(plan.partitions[2].partition.bytes, (512 - 194) * kMiB);
  EXPECT_EQ(plan.partitions[2].content, PartitionContent::kRoot);
}

TEST(PlanDisk, GivesSystemdBootOnePartitionForItselfAndTheBootSets) {
  const DiskPlan plan =
      PlanDisk(LayoutForSystemdBoot("arm64", 100 * kMiB).value(), Tree(10), 512 * kMiB, Seed("a")).value();
  ASSERT_EQ(plan.partitions.size(), 2U);
  const PlannedPartition& esp = plan.partitions[0];
  EXPECT_EQ(esp.partition.type.ToString(), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
  EXPECT_EQ(esp.partition.name, "hostapp-esp");
  EXPECT_EQ(esp.partition.bytes, 100 * kMiB);
  EXPECT_EQ(esp.file_system, FileSystem::kFat);
  EXPECT_EQ(esp.content, PartitionContent::kBoot);
  EXPECT_EQ(plan.partitions[1].partition.type, RootPartitionType("arm64").value());
}

TEST(PlanDisk, MarksThePartitionThatUbootLooksForAndLeavesItRoomBefore) {
  const DiskPlan plan = PlanDisk(LayoutForUboot("amd64", 100 * kMiB).value(), Tree(10), 512 * kMiB, Seed("a")).value();
  ASSERT_EQ(plan.partitions.size(), 2U);
  EXPECT_EQ(plan.partitions[0].partition.offset, 16 * kMiB);
  EXPECT_EQ(plan.partitions[0].partition.attributes, kGptBootable);
  EXPECT_EQ(plan.partitions[0].file_system, FileSystem::kFat);
  EXPECT_EQ(plan.partitions[1].partition.offset, 116 * kMiB);
  EXPECT_EQ(plan.partitions[1].partition.attributes, 0U);
}

TEST(PlanDisk, RefusesLoadersForMachinesThatTheyDoNotRunOn) {
  for (const auto& layout : {LayoutForSystemdBoot("riscv64", kMiB), LayoutForUboot("riscv64", kMiB)}) {
    ASSERT_FALSE(layout.ok());
    EXPECT_EQ(layout.error().code(), Errc::kInvalid);
    EXPECT_THAT(layout.error().message(), HasSubstr("amd64 and arm64, not for riscv64"));
  }
}

TEST(PlanDisk, RefusesADiskThatIsTooSmallWithBothNumbers) {
  const auto refused = PlanDisk(None(), Tree(1000), 900 * kMiB, Seed("a"));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code(), Errc::kNoSpace);
  EXPECT_THAT(refused.error().message(),
              HasSubstr("a disk of 943718400 bytes (900.0 MiB) is too small: the image needs "));
  const uint64_t least = 2 * kMiB + SmallestExt4(Tree(1000), 0);
  EXPECT_THAT(refused.error().message(), HasSubstr(StrCat("needs ", least, " (")));
  EXPECT_TRUE(PlanDisk(None(), Tree(1000), least, Seed("a")).ok());
  EXPECT_FALSE(PlanDisk(None(), Tree(1000), least - kSectorBytes, Seed("a")).ok());
}

TEST(PlanDisk, TakesEveryIdentityFromTheSeed) {
  const DiskPlan one = PlanDisk(None(), Tree(1), std::nullopt, Seed("a")).value();
  const DiskPlan same = PlanDisk(None(), Tree(1), std::nullopt, Seed("a")).value();
  const DiskPlan other = PlanDisk(None(), Tree(1), std::nullopt, Seed("b")).value();
  EXPECT_EQ(one.id, same.id);
  EXPECT_FALSE(one.id == other.id);
  EXPECT_FALSE(one.partitions[0].partition.id == other.partitions[0].partition.id);
  EXPECT_FALSE(one.partitions[0].uuid == other.partitions[0].uuid);
  EXPECT_FALSE(one.partitions[0].uuid == one.partitions[0].partition.id);
}

TEST(LayoutForNone, RefusesAnArchitectureByName) {
  const auto refused = LayoutForNone("m68k");
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().message(), HasSubstr("m68k"));
  for (const char* known : {"amd64", "arm64", "arm", "386", "riscv64"}) EXPECT_TRUE(LayoutForNone(known).ok()) << known;
}

}  // namespace
}  // namespace hostapp
