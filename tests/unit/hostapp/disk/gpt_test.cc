// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/gpt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "hostapp/base/run_program.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

using ::testing::HasSubstr;
using ::testing::Not;

Uuid U(std::string_view text) { return ParseUuid(text).value(); }

std::vector<GptPartition> TwoPartitions() {
  return {{.type = U("c12a7328-f81f-11d2-ba4b-00a0c93ec93b"),
           .id = U("00112233-4455-8677-8899-aabbccddeeff"),
           .name = "first",
           .offset = kMiB,
           .bytes = 2 * kMiB},
          {.type = U("4f68bce3-e8cd-4db1-96e7-fbcaf984b709"),
           .id = U("10112233-4455-8677-8899-aabbccddeeff"),
           .name = "hostapp-root",
           .offset = 3 * kMiB,
           .bytes = 4 * kMiB}};
}

std::string Sfdisk(const std::string& option, const std::string& disk) {
  testing::TestContext context;
  const std::string program = FindProgram("sfdisk", "fdisk").value();
  return RunProgram({program, option, disk}, std::chrono::seconds(60), context.ctx).value().output;
}

TEST(MakeGpt, IsReadBySfdiskAsItWasMeant) {
  const testing::TempDir dir;
  const std::string disk = dir / "disk";
  const GptTable table = MakeGpt(8 * kMiB, U("20112233-4455-8677-8899-aabbccddeeff"), TwoPartitions()).value();
  {
    std::ofstream file(disk, std::ios::binary);
    file << table.head << std::string(8 * kMiB - kGptHeadBytes - kGptTailBytes, '\0') << table.tail;
  }
  const std::string dump = Sfdisk("--dump", disk);
  EXPECT_THAT(dump, HasSubstr("label: gpt\nlabel-id: 20112233-4455-8677-8899-AABBCCDDEEFF\n"));
  EXPECT_THAT(dump, HasSubstr("first-lba: 34\nlast-lba: 16350\n"));
  EXPECT_THAT(dump, HasSubstr("start=        2048, size=        4096, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, "
                              "uuid=00112233-4455-8677-8899-AABBCCDDEEFF, name=\"first\""));
  EXPECT_THAT(dump, HasSubstr("start=        6144, size=        8192, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, "
                              "uuid=10112233-4455-8677-8899-AABBCCDDEEFF, name=\"hostapp-root\""));
  const std::string verified = Sfdisk("--verify", disk);
  EXPECT_THAT(verified, HasSubstr("No errors detected."));
  EXPECT_THAT(verified, Not(HasSubstr("corrupt")));

  // The copy at the end is as good.
  std::fstream(disk, std::ios::in | std::ios::out | std::ios::binary).seekp(512) << std::string(512, 'x');
  EXPECT_THAT(Sfdisk("--dump", disk), HasSubstr("name=\"hostapp-root\""));
}

TEST(MakeGpt, RefusesPartitionsThatOverlapOrDoNotFit) {
  const Uuid id = U("20112233-4455-8677-8899-aabbccddeeff");
  for (const uint64_t offset : {2 * kMiB, uint64_t{0}, 3 * kMiB + 1, 5 * kMiB}) {
    std::vector<GptPartition> partitions = TwoPartitions();
    partitions[1].offset = offset;
    const auto made = MakeGpt(8 * kMiB, id, partitions);
    ASSERT_FALSE(made.ok()) << offset;
    EXPECT_EQ(made.error().code(), Errc::kInvalid);
  }
  EXPECT_FALSE(MakeGpt(512, id, {}).ok());
}

TEST(Uuid, IsWrittenAndReadBack) {
  const std::string text = "4f68bce3-e8cd-4db1-96e7-fbcaf984b709";
  EXPECT_EQ(ParseUuid(text)->ToString(), text);
  EXPECT_EQ(ParseUuid("4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709")->ToString(), text);
  for (const std::string bad : {"", "4f68bce3", "4f68bce3e8cd4db196e7fbcaf984b709",
                                "4f68bce3-e8cd-4db1-96e7-fbcaf984b70g", "4f68bce-3e8cd-4db1-96e7-fbcaf984b709"}) {
    EXPECT_FALSE(ParseUuid(bad)) << bad;
  }
}

TEST(DeriveUuid, DiffersBySeedAndPurposeAndIsOfVersion8) {
  const HashValue seed = HashOf(AsBytes("a"));
  const Uuid one = DeriveUuid(seed, "disk");
  EXPECT_EQ(one, DeriveUuid(seed, "disk"));
  EXPECT_FALSE(one == DeriveUuid(seed, "root"));
  EXPECT_FALSE(one == DeriveUuid(HashOf(AsBytes("b")), "disk"));
  EXPECT_EQ(one.ToString()[14], '8');
  EXPECT_THAT(one.ToString().substr(19, 1), ::testing::MatchesRegex("[89ab]"));
}

}  // namespace
}  // namespace hostapp
