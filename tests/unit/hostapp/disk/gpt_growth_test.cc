// SPDX-License-Identifier: Apache-2.0
#include "hostapp/disk/gpt_growth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "hostapp/base/run_program.h"
#include "hostapp/disk/gpt_format.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;
constexpr const char* kRoot = "hostapp-root";

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
           .name = kRoot,
           .offset = 3 * kMiB,
           .bytes = 4 * kMiB}};
}

GptTable Table(uint64_t bytes, const std::vector<GptPartition>& partitions) {
  return MakeGpt(bytes, U("20112233-4455-8677-8899-aabbccddeeff"), partitions).value();
}

TEST(GrowLastPartition, MakesTheTableThatTheLargerDiskWouldHaveHadFromTheStart) {
  for (const uint64_t more : {uint64_t{0}, uint64_t{512}, uint64_t{33 * 512}, kMiB - 512}) {
    const uint64_t bytes = 20 * kMiB + more;
    std::vector<GptPartition> wanted = TwoPartitions();
    // Whole MiB, and at least the 33 sectors of the second table after it.
    wanted[1].bytes = (more >= kGptTailBytes ? 20 : 19) * kMiB - wanted[1].offset;
    const GptTable table = Table(bytes, wanted);
    const GptDecision decision =
        GrowLastPartition(Table(8 * kMiB, TwoPartitions()).head, bytes, 3 * kMiB, kRoot).value();
    ASSERT_TRUE(decision.growth) << decision.reason;
    EXPECT_EQ(decision.bytes, wanted[1].bytes);
    EXPECT_EQ(decision.growth->old_bytes, 4 * kMiB);
    EXPECT_EQ(decision.growth->first, table.head.substr(0, kGptFirstBytes));
    EXPECT_EQ(decision.growth->tail, table.tail);
  }
}

TEST(GrowLastPartition, KeepsTheBootCodeAndSfdiskFindsNoError) {
  const testing::TempDir dir;
  testing::TestContext context;
  GptTable table = Table(8 * kMiB, TwoPartitions());
  table.head.replace(0, 9, "boot code");
  const GptDecision decision = GrowLastPartition(table.head, 20 * kMiB, 3 * kMiB, kRoot).value();
  table.head.replace(0, kGptFirstBytes, decision.growth->first);
  EXPECT_TRUE(table.head.starts_with("boot code"));
  {
    std::ofstream file(dir / "disk", std::ios::binary);
    file << table.head << std::string(20 * kMiB - kGptHeadBytes - kGptTailBytes, '\0') << decision.growth->tail;
  }
  const std::string program = FindProgram("sfdisk", "fdisk").value();
  const std::string said =
      RunProgram({program, "--verify", dir / "disk"}, std::chrono::seconds(60), context.ctx).value().output;
  EXPECT_THAT(said, HasSubstr("No errors detected."));
  EXPECT_THAT(said, Not(HasSubstr("corrupt")));
}

TEST(GrowLastPartition, LeavesAPartitionThatHasItsDiskOrMore) {
  const std::string head = Table(8 * kMiB, TwoPartitions()).head;
  for (const uint64_t bytes : {8 * kMiB, 8 * kMiB + 512, 4 * kMiB, uint64_t{512}}) {
    const GptDecision decision = GrowLastPartition(head, bytes, 3 * kMiB, kRoot).value();
    EXPECT_FALSE(decision.growth);
    EXPECT_EQ(decision.bytes, 4 * kMiB);
    EXPECT_EQ(decision.reason, "it has the whole disk already");
  }
}

std::string ReasonFor(const std::vector<GptPartition>& partitions, uint64_t offset) {
  const GptDecision decision = GrowLastPartition(Table(8 * kMiB, partitions).head, 20 * kMiB, offset, kRoot).value();
  EXPECT_FALSE(decision.growth);
  EXPECT_EQ(decision.bytes, 0U);
  return decision.reason;
}

TEST(GrowLastPartition, TouchesNoOtherPartition) {
  EXPECT_EQ(ReasonFor(TwoPartitions(), kMiB), "it is not the last partition of its disk");
  EXPECT_EQ(ReasonFor(TwoPartitions(), 4 * kMiB), "the partition table does not name it");
  std::vector<GptPartition> partitions = TwoPartitions();
  partitions[1].name = "hostapp-root2";
  EXPECT_EQ(ReasonFor(partitions, 3 * kMiB), "its partition is called \"hostapp-root2\", not hostapp-root");
  partitions = TwoPartitions();
  partitions.push_back(partitions[1]);
  partitions.back().offset = 7 * kMiB;
  partitions.back().bytes = 512;
  EXPECT_EQ(ReasonFor(partitions, 3 * kMiB), "it is not the last partition of its disk");
  const std::string zeros(kGptHeadBytes, '\0');
  EXPECT_EQ(GrowLastPartition(zeros, 20 * kMiB, kMiB, kRoot).value().reason, "its disk has no GUID partition table");
}

// The table with another number of a partition, and right checksums.
std::string With(std::string head, size_t number, size_t field, uint64_t lba) {
  const auto set = [&head](size_t at, size_t bytes, uint64_t value) {
    for (size_t i = 0; i < bytes; ++i) head[at + i] = static_cast<char>(value >> (8 * i));
  };
  set(1024 + (number - 1) * kGptEntryBytes + field, 8, lba);
  set(512 + 88, 4, GptCrc(std::string_view(head).substr(1024, kGptEntries * kGptEntryBytes)));
  set(512 + 16, 4, 0);
  set(512 + 16, 4, GptCrc(std::string_view(head).substr(512, kGptHeaderBytes)));
  return head;
}

TEST(GrowLastPartition, TouchesNothingThatNoProgramMakes) {
  constexpr size_t kFirst = 32, kLast = 40;
  const std::string head = Table(8 * kMiB, TwoPartitions()).head;
  const auto reason = [](const std::string& table) {
    return GrowLastPartition(table, 20 * kMiB, 3 * kMiB, kRoot).value().reason;
  };
  EXPECT_EQ(reason(head), "");
  EXPECT_EQ(reason(With(head, 1, kFirst, 3 * kMiB / 512)), "another partition begins where it does");
  EXPECT_EQ(reason(With(head, 2, kLast, 3 * kMiB / 512 - 1)), "its partition ends before it begins");
}

TEST(GrowLastPartition, RefusesATableWithAnyByteChanged) {
  const std::string head = Table(8 * kMiB, TwoPartitions()).head;
  // The header behind its signature, and every entry.
  for (size_t at = 520; at < head.size(); at = at == 603 ? 1024 : at + 1) {
    std::string damaged = head;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const Result<GptDecision> decision = GrowLastPartition(damaged, 20 * kMiB, 3 * kMiB, kRoot);
    ASSERT_FALSE(decision.ok()) << at;
    EXPECT_EQ(decision.error().code(), Errc::kCorrupt);
  }
}

}  // namespace
}  // namespace hostapp
