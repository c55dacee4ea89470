// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/sysroot/ledger_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/bad_block.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/test_sysroot.h"

namespace hostapp {
namespace {

using testing::FaultySyscalls;
using ::testing::HasSubstr;
using testing::TestSysroot;

std::string LedgerPath(const TestSysroot& sysroot) { return sysroot.root() + "/hostapp/boot-ledger"; }

Status Attempt(TestSysroot& sysroot, Syscalls& sys, uint32_t attempts) {
  OpContext ctx{sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, sys};
  return ChangeLedger(sysroot.LockLedger(), sysroot.Open(), ctx, [&](bootsel::Ledger& ledger) {
    ledger.default_attempts = attempts;
    return Ok();
  });
}

// Damages one byte of a slot.
void DamageSlot(const TestSysroot& sysroot, size_t slot) {
  std::string bytes = testing::ReadText(LedgerPath(sysroot));
  bytes[slot * bootsel::kSlotBytes + 100] = static_cast<char>(bytes[slot * bootsel::kSlotBytes + 100] ^ 1);
  testing::WriteText(LedgerPath(sysroot), bytes);
}

TEST(CreateLedger, WritesTwoEqualSlots) {
  TestSysroot sysroot;
  const std::string bytes = testing::ReadText(LedgerPath(sysroot));
  ASSERT_EQ(bytes.size(), bootsel::kLedgerFileBytes);
  EXPECT_EQ(bytes.substr(0, bootsel::kSlotBytes), bytes.substr(bootsel::kSlotBytes));
  EXPECT_EQ(ReadLedger(sysroot.Open())->damaged_slots, 0);
}

TEST(CreateLedger, LeavesOneThatIsThere) {
  TestSysroot sysroot;
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 2; });
  ASSERT_TRUE(CreateLedger(sysroot.Open(), sysroot.ctx()).ok());
  EXPECT_EQ(sysroot.Ledger().default_attempts, 2u);
}

TEST(ReadLedger, SaysWhatToDoWhenThereIsNone) {
  TestSysroot sysroot;
  std::filesystem::remove(LedgerPath(sysroot));
  const Result<StoredLedger> stored = ReadLedger(sysroot.Open());
  ASSERT_FALSE(stored.ok());
  EXPECT_EQ(stored.error().code(), Errc::kNotFound);
  EXPECT_THAT(stored.error().message(), HasSubstr("hostapp init"));
}

TEST(ReadLedger, IsFineWithOneSlotWhicheverItIs) {
  for (const size_t slot : {0u, 1u}) {
    TestSysroot sysroot;
    sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 1; });
    sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 2; });
    DamageSlot(sysroot, slot);
    const Result<StoredLedger> stored = ReadLedger(sysroot.Open());
    ASSERT_TRUE(stored.ok()) << slot;
    EXPECT_EQ(stored->damaged_slots, 1);
    EXPECT_THAT(stored->ledger.default_attempts, ::testing::AnyOf(1u, 2u));
  }
}

TEST(ReadLedger, IsFineWithOneBlockThatCannotBeRead) {
  for (const int64_t block : {0, 1}) {
    TestSysroot sysroot;
    ASSERT_TRUE(CreateLedger(sysroot.Open(), sysroot.ctx()).ok());
    const BadBlock bad(block);
    const auto read = ReadLedger(sysroot.Open());
    ASSERT_TRUE(read.ok()) << read.error().message();
    EXPECT_EQ(read->damaged_slots, 1) << block;
    const auto change = [](bootsel::Ledger& ledger) {
      ledger.downgrade_floor += 1;
      return Ok();
    };
    ASSERT_TRUE(ChangeLedger(sysroot.LockLedger(), sysroot.Open(), sysroot.ctx(), change).ok());
  }
}

TEST(ReadLedger, IsCorruptWithBothSlotsLost) {
  TestSysroot sysroot;
  DamageSlot(sysroot, 0);
  DamageSlot(sysroot, 1);
  const Result<StoredLedger> stored = ReadLedger(sysroot.Open());
  ASSERT_FALSE(stored.ok());
  EXPECT_EQ(stored.error().code(), Errc::kCorrupt);
  EXPECT_THAT(stored.error().message(), HasSubstr("hostapp reconcile"));
  EXPECT_EQ(Attempt(sysroot, RealSyscalls(), 1).error().code(), Errc::kCorrupt) << "and nothing is written over it";
}

TEST(ReadLedger, SurvivesATornWriteOfTheNextRecord) {
  TestSysroot sysroot;
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 1; });
  const std::string before = testing::ReadText(LedgerPath(sysroot));
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 2; });
  const std::string after = testing::ReadText(LedgerPath(sysroot));
  // Any prefix, in sectors, of what the second change wrote.
  for (size_t torn = 0; torn <= bootsel::kLedgerFileBytes; torn += 512) {
    testing::WriteText(LedgerPath(sysroot), after.substr(0, torn) + before.substr(torn));
    const Result<StoredLedger> stored = ReadLedger(sysroot.Open());
    ASSERT_TRUE(stored.ok()) << torn;
    EXPECT_THAT(stored->ledger.default_attempts, ::testing::AnyOf(1u, 2u)) << torn;
  }
}

TEST(ReadLedger, ReadsAFileThatWasCutOff) {
  TestSysroot sysroot;
  std::filesystem::resize_file(LedgerPath(sysroot), bootsel::kSlotBytes + 10);
  EXPECT_EQ(ReadLedger(sysroot.Open()).value().damaged_slots, 1);
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 3; });
  EXPECT_EQ(ReadLedger(sysroot.Open()).value().damaged_slots, 0) << "the next change mends it";
}

TEST(ChangeLedger, RaisesTheGenerationByOneAndWritesTheOlderSlot) {
  TestSysroot sysroot;
  const uint64_t generation = sysroot.Ledger().generation;
  const std::string before = testing::ReadText(LedgerPath(sysroot));
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 1; });
  const std::string after = testing::ReadText(LedgerPath(sysroot));
  EXPECT_EQ(sysroot.Ledger().generation, generation + 1);
  const bool first_changed = before.substr(0, bootsel::kSlotBytes) != after.substr(0, bootsel::kSlotBytes);
  const bool second_changed = before.substr(bootsel::kSlotBytes) != after.substr(bootsel::kSlotBytes);
  EXPECT_NE(first_changed, second_changed);
}

TEST(ChangeLedger, WritesNothingWhenNothingChangesOrTheChangeIsRefused) {
  TestSysroot sysroot;
  const std::string before = testing::ReadText(LedgerPath(sysroot));
  EXPECT_TRUE(Attempt(sysroot, RealSyscalls(), 0).ok());
  const Status refused = ChangeLedger(sysroot.LockLedger(), sysroot.Open(), sysroot.ctx(), [](bootsel::Ledger& ledger) {
    ledger.default_attempts = 5;
    return Status(Error(Errc::kBusy, "no"));
  });
  EXPECT_EQ(refused.error().code(), Errc::kBusy);
  EXPECT_EQ(testing::ReadText(LedgerPath(sysroot)), before);
}

TEST(ChangeLedger, KeepsTheOldOrTheNewRecordAtEveryFailingCall) {
  for (const int error : {EIO, ENOSPC, EROFS}) {
    for (const auto which : {FaultySyscalls::Which::kOnlyThat, FaultySyscalls::Which::kThatAndAllAfter}) {
      TestSysroot sysroot;
      sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 1; });
      const int calls = testing::ForEveryFailingCall(
          error, which, [] {}, [&](Syscalls& sys) { return Attempt(sysroot, sys, 2); },
          [&](const FaultySyscalls& sys, const Status& status) {
            EXPECT_EQ(status.ok(), !sys.failed()) << sys.failed_call();
            const Result<StoredLedger> stored = ReadLedger(sysroot.Open());
            ASSERT_TRUE(stored.ok()) << sys.failed_call();
            EXPECT_THAT(stored->ledger.default_attempts, ::testing::AnyOf(1u, 2u)) << sys.failed_call();
            if (!status.ok() && error == ENOSPC) {
              EXPECT_EQ(status.error().code(), Errc::kNoSpace);
            }
          });
      EXPECT_GE(calls, 2);
      EXPECT_EQ(sysroot.Ledger().default_attempts, 2u);
    }
  }
}

TEST(ChangeLedger, GoesOnAfterShortWrites) {
  TestSysroot sysroot;
  FaultySyscalls sys;
  sys.MakeWritesShort(7);
  ASSERT_TRUE(Attempt(sysroot, sys, 2).ok());
  EXPECT_EQ(ReadLedger(sysroot.Open()).value().damaged_slots, 0);
  EXPECT_EQ(sysroot.Ledger().default_attempts, 2u);
}

TEST(ChangeLedger, KeepsTheRecordBeforeWhenAShortWriteIsTheLast) {
  TestSysroot sysroot;
  sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 1; });
  for (int n = 1; n < 9; ++n) {
    FaultySyscalls sys(n, EIO, FaultySyscalls::Which::kThatAndAllAfter);
    sys.MakeWritesShort(600);
    ASSERT_FALSE(Attempt(sysroot, sys, 2).ok()) << n;
    ASSERT_TRUE(ReadLedger(sysroot.Open()).ok()) << n;
    EXPECT_EQ(sysroot.Ledger().default_attempts, n < 8 ? 1u : 2u) << n << ": the eighth is the sync";
  }
}

TEST(RewriteLedger, MendsADamagedSlotAndChangesNothingElse) {
  for (const size_t slot : {0u, 1u}) {
    TestSysroot sysroot;
    sysroot.Edit([](bootsel::Ledger& ledger) { ledger.default_attempts = 1; });
    DamageSlot(sysroot, slot);
    bootsel::Ledger before = sysroot.Ledger();
    ASSERT_TRUE(RewriteLedger(sysroot.LockLedger(), sysroot.Open(), sysroot.ctx()).ok());
    EXPECT_EQ(ReadLedger(sysroot.Open())->damaged_slots, 0);
    before.generation += 1;
    EXPECT_EQ(sysroot.Ledger(), before);
  }
}

TEST(RemakeLedger, LeavesTheOldFileOrAWholeNewOneAtEveryFailingCall) {
  TestSysroot sysroot;
  bootsel::Ledger wanted;
  wanted.default_deployment = Name(testing::SampleDeployment(3));
  testing::ForEveryFailingCall(
      ENOSPC, FaultySyscalls::Which::kOnlyThat,
      [&] { testing::WriteText(LedgerPath(sysroot), std::string(bootsel::kLedgerFileBytes, 'x')); },
      [&](Syscalls& sys) {
        OpContext ctx{sysroot.ctx().clock, sysroot.ctx().log, sysroot.ctx().progress, {}, sys};
        return RemakeLedger(sysroot.LockLedger(), sysroot.Open(), wanted, ctx);
      },
      [&](const FaultySyscalls& sys, const Status& status) {
        EXPECT_EQ(status.ok(), !sys.failed());
        const std::string bytes = testing::ReadText(LedgerPath(sysroot));
        const Result<StoredLedger> stored = ReadLedger(sysroot.Open());
        if (bytes == std::string(bootsel::kLedgerFileBytes, 'x')) return;
        ASSERT_TRUE(stored.ok()) << sys.failed_call();
        EXPECT_EQ(stored->damaged_slots, 0);
        EXPECT_EQ(stored->ledger.default_deployment.serial, 3u);
      });
  EXPECT_EQ(sysroot.Ledger().generation, 1u);
}

}  // namespace
}  // namespace hostapp
