// SPDX-License-Identifier: Apache-2.0
// What every adapter that writes something must keep, whatever its loader's format is.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/loader.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
namespace fs = std::filesystem;

}  // namespace

void PrintTo(const LoaderState& state, std::ostream* out) {
  *out << "default " << state.default_serial << ", trial ";
  if (state.trial) *out << state.trial->serial << " with " << state.trial->tries_left;
  *out << ", entries " << ::testing::PrintToString(state.entries) << ", proven "
       << ::testing::PrintToString(state.proven);
}

namespace {

std::string FileOfSet(std::string_view name, uint64_t serial) { return StrCat(name, " of ", serial); }

std::string SumsOfSet(uint64_t serial) {
  std::string sums;
  for (const char* name : {"initrd", "linux"})
    sums += StrCat(HashOf(AsBytes(FileOfSet(name, serial))).Hex(), "  ", name, "\n");
  return sums;
}

BootEntry Entry(uint64_t serial, bool proven = true) {
  return {.serial = serial,
          .boot_set = HashOf(AsBytes(SumsOfSet(serial))),
          .arguments = {"root=LABEL=x", "dyndbg=\"file a.c +p\"", "quiet"},
          .version = StrCat("1.", serial),
          .proven = proven};
}

class LoaderSuite : public ::testing::TestWithParam<LoaderKind> {
 protected:
  LoaderSuite() : boot_(OpenDir(AT_FDCWD, dir_.path(), RealSyscalls()).value()) {
    UseSyscalls(quiet_);
    MakeBootSets();
  }

  OpContext& ctx() { return *ctx_; }
  void UseSyscalls(Syscalls& sys) {
    ctx_.emplace(OpContext{
        .clock = context_.clock, .log = context_.log, .progress = context_.progress, .cancel = {}, .sys = sys});
  }
  std::unique_ptr<Loader> Make() { return MakeLoader(GetParam(), boot_.get()); }
  // Those of deployments 1 to 3: staging finds them there.
  void MakeBootSets() {
    for (const uint64_t serial : {1U, 2U, 3U}) {
      const fs::path set = fs::path(dir_.path()) / "hostapp" / Entry(serial).boot_set.Hex();
      fs::create_directories(set);
      for (const char* name : {"initrd", "linux"}) std::ofstream(set / name) << FileOfSet(name, serial);
      std::ofstream(set / "SHA256SUMS") << SumsOfSet(serial);
    }
  }
  // A device that runs deployment 1, proven, with 2 staged.
  void Settle() {
    UseSyscalls(quiet_);
    for (const auto& entry : fs::directory_iterator(dir_.path())) fs::remove_all(entry.path());
    MakeBootSets();
    const auto loader = Make();
    ASSERT_TRUE(loader->Stage(Entry(1), ctx()).ok());
    ASSERT_TRUE(loader->Bless(Entry(1), ctx()).ok());
    ASSERT_TRUE(loader->Stage(Entry(2, false), ctx()).ok());
  }
  LoaderState Read() { return Make()->Read().value(); }

  testing::TempDir dir_;
  UniqueFd boot_;
  testing::TestContext context_;
  testing::FaultySyscalls quiet_;  // does not freeze the machine
  std::optional<OpContext> ctx_;
};

const LoaderState kBlessed{.default_serial = 1, .trial = {}, .entries = {1, 2}, .proven = {1}};
const LoaderState kArmed{
    .default_serial = 1, .trial = LoaderState::Trial{.serial = 2, .tries_left = 3}, .entries = {1, 2}, .proven = {1}};

TEST_P(LoaderSuite, SaysNothingBeforeItWasTold) { EXPECT_EQ(Read(), LoaderState{}); }

TEST_P(LoaderSuite, StagingChangesNothingThatIsStarted) {
  Settle();
  EXPECT_EQ(Read(), kBlessed);
  ASSERT_TRUE(Make()->Stage(Entry(3), ctx()).ok());
  const LoaderState state = Read();
  EXPECT_EQ(state.default_serial, 1U);
  EXPECT_EQ(state.trial, std::nullopt);
  EXPECT_THAT(state.entries, ElementsAre(1, 2, 3));
  EXPECT_THAT(state.proven, ElementsAre(1)) << "a mark of goodness comes with a blessing only";
}

TEST_P(LoaderSuite, ArmsATrialAndForgetsTheOneBefore) {
  Settle();
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 3, ctx()).ok());
  EXPECT_EQ(Read(), kArmed);
  ASSERT_TRUE(Make()->Stage(Entry(3, false), ctx()).ok());
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(3, false), 9, ctx()).ok());
  EXPECT_EQ(Read().trial, (LoaderState::Trial{.serial = 3, .tries_left = 9}));
}

TEST_P(LoaderSuite, KeepsATrialWhoseTriesAreUsedUp) {
  Settle();
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 0, ctx()).ok());
  EXPECT_EQ(Read().trial, (LoaderState::Trial{.serial = 2, .tries_left = 0}));
  EXPECT_EQ(Read().default_serial, 1U);
}

TEST_P(LoaderSuite, BlessingEndsTheTrialAndMarksWhatIsProven) {
  Settle();
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 3, ctx()).ok());
  ASSERT_TRUE(Make()->Bless(Entry(2), ctx()).ok());
  EXPECT_EQ(Read(), (LoaderState{.default_serial = 2, .trial = {}, .entries = {1, 2}, .proven = {1, 2}}));
  ASSERT_TRUE(Make()->Bless(Entry(1), ctx()).ok());
  EXPECT_EQ(Read(), (LoaderState{.default_serial = 1, .trial = {}, .entries = {1, 2}, .proven = {1, 2}}))
      << "a rollback forgets no mark";
}

TEST_P(LoaderSuite, AMarkChangesNothingThatIsStarted) {
  Settle();
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 3, ctx()).ok());
  ASSERT_TRUE(Make()->Stage(Entry(3), ctx()).ok());
  ASSERT_TRUE(Make()->Mark(Entry(3), ctx()).ok());
  ASSERT_TRUE(Make()->Mark(Entry(2, false), ctx()).ok());
  LoaderState want = kArmed;
  want.entries = {1, 2, 3};
  want.proven = {1, 3};
  EXPECT_EQ(Read(), want);
}

TEST_P(LoaderSuite, DoesNotMarkADefaultThatIsNotProven) {
  ASSERT_TRUE(Make()->Stage(Entry(1, false), ctx()).ok());
  ASSERT_TRUE(Make()->Bless(Entry(1, false), ctx()).ok());
  EXPECT_EQ(Read(), (LoaderState{.default_serial = 1, .trial = {}, .entries = {1}, .proven = {}}));
}

TEST_P(LoaderSuite, ASecondTimeWritesNothing) {
  Settle();
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 3, ctx()).ok());
  testing::FaultySyscalls counting;
  UseSyscalls(counting);
  std::map<std::string, fs::file_time_type> before, after;
  for (const auto& entry : fs::recursive_directory_iterator(dir_.path()))
    before[entry.path()] = entry.last_write_time();
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 3, ctx()).ok());
  for (const auto& entry : fs::recursive_directory_iterator(dir_.path())) after[entry.path()] = entry.last_write_time();
  EXPECT_EQ(before, after);
  EXPECT_EQ(counting.calls(), 0);
}

TEST_P(LoaderSuite, RemovesAnEntryAndOnlyThat) {
  Settle();
  ASSERT_TRUE(Make()->Remove(2, ctx()).ok());
  ASSERT_TRUE(Make()->Remove(2, ctx()).ok()) << "what is not there is removed";
  EXPECT_EQ(Read(), (LoaderState{.default_serial = 1, .trial = {}, .entries = {1}, .proven = {1}}));
}

TEST_P(LoaderSuite, StagesAnewWhatIsDamaged) {
  Settle();
  std::set<std::string> before;
  for (const auto& file : fs::recursive_directory_iterator(dir_.path())) before.insert(file.path());
  ASSERT_TRUE(Make()->Stage(Entry(3), ctx()).ok());
  int damaged = 0;
  for (const auto& file : fs::recursive_directory_iterator(dir_.path())) {
    if (!file.is_regular_file() || before.contains(file.path())) continue;
    fs::resize_file(file.path(), file.file_size() / 2);
    ++damaged;
  }
  ASSERT_GT(damaged, 0);
  EXPECT_EQ(Read(), kBlessed) << "what is damaged is no entry";
  ASSERT_TRUE(Make()->Stage(Entry(3), ctx()).ok());
  EXPECT_THAT(Read().entries, ElementsAre(1, 2, 3));
}

TEST_P(LoaderSuite, ReadsAnyDamageWithoutAnError) {
  for (const std::string& content :
       {std::string(), std::string("x"), std::string(1024, '\xff'), std::string(5000, '\0')}) {
    Settle();
    for (const auto& file : fs::recursive_directory_iterator(dir_.path())) {
      if (file.is_regular_file()) std::ofstream(file.path(), std::ios::trunc) << content;
    }
    const auto state = Make()->Read();
    ASSERT_TRUE(state.ok());
    EXPECT_EQ(state->default_serial, 0U);
    EXPECT_EQ(state->trial, std::nullopt);
    EXPECT_THAT(state->entries, IsEmpty());
    MakeBootSets();  // they are not the loader's to mend
    EXPECT_TRUE(Make()->Stage(Entry(1), ctx()).ok());
    EXPECT_TRUE(Make()->Bless(Entry(1), ctx()).ok());
    EXPECT_EQ(Read().default_serial, 1U);
  }
}

TEST_P(LoaderSuite, AFailingCallLeavesTheOldStateOrTheNewOne) {
  for (const auto which :
       {testing::FaultySyscalls::Which::kOnlyThat, testing::FaultySyscalls::Which::kThatAndAllAfter}) {
    const auto arms = [&](Syscalls& sys) {
      UseSyscalls(sys);
      return Make()->Arm(Entry(1), Entry(2, false), 3, ctx());
    };
    testing::ForEveryFailingCall(
        EIO, which, [&] { Settle(); }, arms,
        [&](const auto& sys, const Status& status) {
          const LoaderState state = Read();
          EXPECT_TRUE(state == kBlessed || state == kArmed) << sys.failed_call();
          EXPECT_TRUE(!status.ok() || state == kArmed);
        });
    const auto blesses = [&](Syscalls& sys) {
      UseSyscalls(sys);
      return Make()->Bless(Entry(2), ctx());
    };
    const auto settle_armed = [&] {
      Settle();
      ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 3, ctx()).ok());
    };
    testing::ForEveryFailingCall(ENOSPC, which, settle_armed, blesses, [&](const auto& sys, const Status& status) {
      const LoaderState state = Read();
      const bool new_state = state.default_serial == 2 && !state.trial;
      EXPECT_TRUE(new_state || (state.default_serial == 1 && state.trial)) << sys.failed_call();
      EXPECT_TRUE(!status.ok() || new_state);
    });
  }
}

// A full disk, for the file that is a mark of deployment 2, whatever the loader calls it.
struct NoSpaceForAMark : testing::FaultySyscalls {
  int OpenAt(int dir, const char* path, int flags, mode_t mode) override {
    const std::set<std::string_view> marks = {"good", "2", "proven"};
    return (flags & O_CREAT) != 0 && marks.contains(path) ? -ENOSPC : FaultySyscalls::OpenAt(dir, path, flags, mode);
  }
};

TEST_P(LoaderSuite, AMarkThatFindsNoSpaceKeepsNothingElseFromTheLoader) {
  Settle();
  ASSERT_TRUE(Make()->Arm(Entry(1), Entry(2, false), 3, ctx()).ok());
  fs::remove(fs::path(dir_.path()) / "hostapp/uboot/proven");  // which would be overwritten in place
  NoSpaceForAMark full;
  UseSyscalls(full);
  EXPECT_EQ(Make()->Bless(Entry(2), ctx()).error().code(), Errc::kNoSpace);
  EXPECT_EQ(Read().default_serial, 2U);
  EXPECT_EQ(Read().trial, std::nullopt);
  ASSERT_TRUE(Make()->Stage(Entry(3, false), ctx()).ok());
  EXPECT_EQ(Make()->Arm(Entry(2), Entry(3, false), 3, ctx()).error().code(), Errc::kNoSpace);
  EXPECT_EQ(Read().trial, (LoaderState::Trial{.serial = 3, .tries_left = 3}));
  UseSyscalls(quiet_);
  ASSERT_TRUE(Make()->Arm(Entry(2), Entry(3, false), 3, ctx()).ok());
  EXPECT_THAT(Read().proven, ::testing::Contains(2U));
}

TEST_P(LoaderSuite, AFailedStagingIsRepeated) {
  const auto stages = [&](Syscalls& sys) {
    UseSyscalls(sys);
    return Make()->Stage(Entry(3, false), ctx());
  };
  const int calls = testing::ForEveryFailingCall(
      ENOSPC, testing::FaultySyscalls::Which::kThatAndAllAfter, [&] { Settle(); }, stages,
      [&](const auto& sys, const Status&) {
        UseSyscalls(quiet_);
        EXPECT_EQ(Read().default_serial, 1U);
        EXPECT_TRUE(Make()->Stage(Entry(3, false), ctx()).ok()) << sys.failed_call();
        EXPECT_THAT(Read().entries, ElementsAre(1, 2, 3)) << sys.failed_call();
      });
  EXPECT_GT(calls, 5);
}

TEST_P(LoaderSuite, RefusesMoreArgumentsThanAKernelTakes) {
  BootEntry entry = Entry(1);
  EXPECT_TRUE(Make()->Check(entry).ok());
  entry.arguments.push_back("x=" + std::string(2047, 'y'));
  const Status status = Make()->Check(entry);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code(), Errc::kInvalid);
  EXPECT_THAT(status.error().message(), ::testing::HasSubstr("more than the 2047"));
}

std::string TestName(const ::testing::TestParamInfo<LoaderKind>& tested) {
  std::string name(LoaderName(tested.param));
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Loaders, LoaderSuite,
                         ::testing::Values(LoaderKind::kGrub, LoaderKind::kSystemdBoot, LoaderKind::kUboot), TestName);

}  // namespace
}  // namespace hostapp
