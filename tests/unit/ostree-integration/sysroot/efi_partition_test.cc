// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/efi_partition.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hostapp/base/durable.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using ::testing::HasSubstr;
using testing::WriteText;

constexpr const char* kGuid = "8a1b6d2c-41f3-4a9e-b7c5-2f9d0e63c417";

// A disk and its second partition, as in /sys/dev/block.
class EfiPartitionTest : public ::testing::Test {
 protected:
  EfiPartitionTest() {
    Say("queue/logical_block_size", "512\n");
    Say("vda2/partition", "2\n");
    Say("vda2/start", "4096\n");
    Say("vda2/size", "245760\n");
  }
  void Say(const std::string& path, const char* text) { WriteText(dir_ / path, text); }
  Result<EfiPartition> Read(const std::string& folder = "vda2") {
    const UniqueFd sysfs = OpenDir(AT_FDCWD, dir_ / folder, context_.ctx.sys).value();
    return ReadEfiPartition(sysfs.get(), kGuid);
  }

  testing::TempDir dir_;
  testing::TestContext context_;
};

TEST_F(EfiPartitionTest, IsWhatTheKernelSays) {
  EXPECT_EQ(Read().value(), (EfiPartition{.number = 2, .first_block = 4096, .blocks = 245760, .guid = kGuid}));
}

TEST_F(EfiPartitionTest, CountsInTheDisksOwnBlocks) {
  Say("queue/logical_block_size", "4096\n");
  EXPECT_EQ(Read().value(), (EfiPartition{.number = 2, .first_block = 512, .blocks = 30720, .guid = kGuid}));
}

TEST_F(EfiPartitionTest, RefusesWhatIsNoPartitionOrNoNumber) {
  EXPECT_EQ(Read("queue").error().code(), Errc::kNotFound);
  Say("vda2/start", "here\n");
  EXPECT_THAT(Read().error().message(), HasSubstr("start of the partition is no number: here"));
  Say("vda2/start", "4096\n");
  Say("queue/logical_block_size", "0\n");
  EXPECT_EQ(Read().error().code(), Errc::kCorrupt);
}

}  // namespace
}  // namespace hostapp
