// SPDX-License-Identifier: Apache-2.0
#include "ostree-integration/deploy/loaders/systemd_boot.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "hostapp/base/durable.h"
#include "hostapp/base/strings.h"
#include "ostree-integration/deploy/loaders/systemd_boot_plan.h"
#include "tests/support/faulty_syscalls.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_context.h"

namespace hostapp {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

BootEntry Entry(uint64_t serial, bool proven = true) {
  return {.serial = serial,
          .boot_set = HashOf(AsBytes(StrCat("boot set ", serial))),
          .arguments = {"root=LABEL=x"},
          .version = StrCat("1.", serial),
          .proven = proven};
}

std::string Name(uint64_t serial, uint64_t sequence, std::optional<int> left = {}) {
  return EncodeSystemdBootName({.serial = serial, .sequence = sequence, .tries_left = left, .tries_done = 0});
}

TEST(SystemdBootName, CountersAreReadInAnyWidthAsSystemdBootRenamesThem) {
  struct Case {
    const char* counter;
    std::optional<int> left;
    uint64_t done;
  };
  for (const Case& one : {Case{"", {}, 0}, Case{"+3", 3, 0}, Case{"+03-00", 3, 0}, Case{"+2-1", 2, 1},
                          Case{"+0-3", 0, 3}, Case{"+0-14", 0, 14}}) {
    const std::string file = StrCat("hostapp-0000000012-0000000345", one.counter, ".conf");
    EXPECT_EQ(ParseSystemdBootName(file),
              (SystemdBootName{.serial = 12, .sequence = 345, .tries_left = one.left, .tries_done = one.done}))
        << file;
  }
}

TEST(SystemdBootName, ComesBackAsItWas) {
  for (const SystemdBootName& name :
       {SystemdBootName{.serial = 1, .sequence = 2, .tries_left = {}, .tries_done = 0},
        SystemdBootName{.serial = 9999999999, .sequence = kMaxSystemdBootSequence, .tries_left = 9, .tries_done = 0},
        SystemdBootName{.serial = 12345678901, .sequence = 0, .tries_left = 0, .tries_done = 4}}) {
    EXPECT_EQ(ParseSystemdBootName(EncodeSystemdBootName(name)), name);
  }
}

TEST(SystemdBootName, OthersNamesAreNotOurs) {
  for (const char* other : {"debian.conf",
                            "hostapp-1.conf",
                            "hostapp-1-.conf",
                            "hostapp--1.conf",
                            "hostapp-0-1.conf",
                            "hostapp-1-2+.conf",
                            "hostapp-1-2+-1.conf",
                            "hostapp-1-2+3-.conf",
                            "hostapp-1-2+3-4-5.conf",
                            "hostapp-1-2+3+4.conf",
                            "hostapp-1-2+99999.conf",
                            "hostapp-1-2-3.conf",
                            "hostapp-1+2-3.conf",
                            "hostapp-1-10000000000.conf",
                            "hostapp-1-2.conf.new",
                            ".hostapp-1-2.conf",
                            "hostapp-1-2",
                            "hostapp-.conf",
                            "hostapp-x-2.conf",
                            "hostapp-1-2+3333333333333333333333.conf",
                            "hostapp-1-2\n.conf",
                            "hostapp-conf",
                            ""}) {
    EXPECT_EQ(ParseSystemdBootName(other), std::nullopt) << other;
  }
}

TEST(SystemdBootText, EndsWithTheKernelAndBeginsWithItsSum) {
  BootEntry entry = Entry(7);
  entry.arguments = {"dyndbg=\"file a.c +p; x\"", "cost=$HOME"};
  entry.version = " 1.0\nlinux /other ";
  const std::string set = entry.boot_set.Hex(), text = SystemdBootText(entry, 41);
  EXPECT_EQ(text.substr(text.find('\n') + 1),
            "title hostapp deployment 7\nversion 1.0\\x0alinux /other\nsort-key hostapp-9999999958\n"
            "options hostapp.deployment=7 hostapp.boot-set=" +
                set +
                " panic=10 fsck.repair=yes rd.shell=0 rd.emergency=reboot dyndbg=\"file a.c +p; x\" cost=$HOME\n"
                "initrd /hostapp/" +
                set + "/initrd\nlinux /hostapp/" + set + "/linux\n");
  EXPECT_TRUE(IsWholeSystemdBootText(text));
}

TEST(SystemdBootText, AnyLostEndIsSeen) {
  const std::string text = SystemdBootText(Entry(7), 41);
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(IsWholeSystemdBootText(text.substr(0, size))) << size;
    const size_t linux = text.substr(0, size).find("\nlinux ");
    EXPECT_TRUE(linux == std::string::npos || size > text.size() - 120) << "systemd-boot would start it at " << size;
  }
  EXPECT_FALSE(IsWholeSystemdBootText(std::string(text.size(), '\0')));
}

// Each entry is taken before the next.
TEST(SystemdBootOrder, IsThatOfSystemdBoot) {
  const auto entry = [](const char* id, std::optional<std::string> key, const char* version,
                        std::optional<uint64_t> left = {}, uint64_t done = 0) {
    return SystemdBootSortable{.id = id,
                               .sort_key = std::move(key),
                               .machine_id = {},
                               .version = version,
                               .tries_left = left,
                               .tries_done = done};
  };
  const std::vector<SystemdBootSortable> ordered = {
      entry("a", "a", "1"),  entry("z", "b", "10"),     entry("z", "b", "9"),           entry("z", "b", "9", 3),
      entry("y", "b", "9"),  entry("k+3", "c", "2", 3), entry("k", "c", "1"),           entry("m", {}, "99"),
      entry("l10", {}, "1"), entry("l9", {}, "2"),      entry("a+0", "a", "100", 0, 3), entry("n+0", {}, "100", 0, 3),
  };
  for (size_t a = 0; a < ordered.size(); ++a) {
    EXPECT_FALSE(SystemdBootTakesFirst(ordered[a], ordered[a]));
    for (size_t b = a + 1; b < ordered.size(); ++b) {
      EXPECT_FALSE(SystemdBootTakesFirst(ordered[b], ordered[a])) << a << " " << b;
      const bool equal = a == 2 && b == 3;  // the counter alone gives no precedence
      EXPECT_EQ(SystemdBootTakesFirst(ordered[a], ordered[b]), !equal) << a << " " << b;
    }
  }
  EXPECT_TRUE(SystemdBootTakesFirst(entry("x", "a", "1", 3), entry("x", "a", "1", 2)));
  EXPECT_TRUE(SystemdBootTakesFirst(entry("x", "a", "1", 2, 0), entry("x", "a", "1", 2, 1)));
}

TEST(BootVersions, AreComparedAsNumbersWhereTheyAre) {
  const std::vector<std::string_view> ordered = {"~rc1", "",    "1~rc1", "1", "1-a", "1^a", "1.",
                                                 "1.a",  "1.2", "1.10",  "2", "10",  "011"};
  for (size_t a = 0; a < ordered.size(); ++a) {
    EXPECT_EQ(CompareBootVersions(ordered[a], ordered[a]), 0);
    for (size_t b = a + 1; b < ordered.size(); ++b) {
      EXPECT_LT(CompareBootVersions(ordered[a], ordered[b]), 0) << ordered[a] << " " << ordered[b];
      EXPECT_GT(CompareBootVersions(ordered[b], ordered[a]), 0) << ordered[a] << " " << ordered[b];
    }
  }
  EXPECT_EQ(CompareBootVersions("1_2", "1+2"), 0) << "what is of no version separates only";
}

SystemdBootFile File(uint64_t serial, uint64_t sequence, std::optional<int> left = {}, bool marked = true) {
  return {.file = Name(serial, sequence, left),
          .name = {.serial = serial, .sequence = sequence, .tries_left = left, .tries_done = 0},
          .text = SystemdBootText(Entry(serial), sequence),
          .whole = true,
          .marked = marked};
}

std::vector<std::string> Added(const SystemdBootPlan& plan) {
  std::vector<std::string> files;
  for (const auto& added : plan.added) files.push_back(added.file);
  return files;
}

const SystemdBootWanted kTrialOfTwo{.entry = Entry(2), .tries = 3}, kDefaultOne{.entry = Entry(1), .tries = {}},
    kDefaultTwo{.entry = Entry(2), .tries = {}};

TEST(SystemdBootPlan, AddsWhatSortsFirstAndThenRemovesTheOld) {
  struct Case {
    const char* what;
    std::vector<SystemdBootFile> files;
    std::vector<SystemdBootWanted> wanted;
    std::vector<std::string> added, removed;
  };
  const std::vector<Case> cases = {
      {"the first default", {}, {kDefaultOne}, {Name(1, 1)}, {}},
      {"nothing to do", {File(1, 1)}, {kDefaultOne}, {}, {}},
      {"arming", {File(1, 1)}, {kTrialOfTwo, kDefaultOne}, {Name(2, 2, 3)}, {}},
      {"is armed", {File(1, 1), File(2, 2, 3, false)}, {kTrialOfTwo, kDefaultOne}, {}, {}},
      {"armed again", {File(1, 1), File(2, 2, 1, false)}, {kTrialOfTwo, kDefaultOne}, {Name(2, 3, 3)}, {Name(2, 2, 1)}},
      {"another trial", {File(1, 1), File(3, 2, 1)}, {kTrialOfTwo, kDefaultOne}, {Name(2, 3, 3)}, {Name(3, 2, 1)}},
      {"blessing", {File(1, 1), File(2, 2, 3)}, {kDefaultTwo}, {Name(2, 3)}, {Name(2, 2, 3)}},
      {"rollback of a trial", {File(1, 1), File(2, 2, 3)}, {kDefaultOne}, {}, {Name(2, 2, 3)}},
      {"rollback", {File(1, 1), File(2, 2)}, {kDefaultOne}, {Name(1, 3)}, {Name(1, 1)}},
      {"an old default that was never marked", {File(1, 1, {}, false)}, {kDefaultTwo}, {Name(2, 2)}, {Name(1, 1)}},
      {"both are new", {File(3, 5)}, {kTrialOfTwo, kDefaultOne}, {Name(1, 6), Name(2, 7, 3)}, {}},
      {"blessed by another's unit",
       {File(1, 1), File(2, 2)},
       {kTrialOfTwo, kDefaultOne},
       {Name(2, 3, 3)},
       {Name(2, 2)}},
      {"an old one sorts before",
       {File(1, 1), File(3, 2), File(2, 3, 3)},
       {kTrialOfTwo, kDefaultOne},
       {Name(1, 4), Name(2, 5, 3)},
       {Name(1, 1), Name(2, 3, 3)}},
  };
  for (const Case& one : cases) {
    const SystemdBootPlan plan = PlanSystemdBoot(one.files, one.wanted).value();
    EXPECT_EQ(Added(plan), one.added) << one.what;
    EXPECT_EQ(plan.removed, one.removed) << one.what;
  }
}

TEST(SystemdBootPlan, ReplacesWhatIsDamaged) {
  SystemdBootFile damaged = File(1, 1);
  damaged.text.pop_back();
  damaged.whole = false;
  const SystemdBootPlan plan = PlanSystemdBoot({damaged}, {kDefaultOne}).value();
  EXPECT_THAT(Added(plan), ElementsAre(Name(1, 2)));
  EXPECT_THAT(plan.removed, ElementsAre(Name(1, 1)));
}

TEST(SystemdBootPlan, SaysWhichNumberLeavesNoNext) {
  const auto plan = PlanSystemdBoot({File(3, kMaxSystemdBootSequence)}, {kDefaultOne});
  ASSERT_FALSE(plan.ok());
  EXPECT_EQ(plan.error().code(), Errc::kCorrupt);
  EXPECT_THAT(plan.error().message(), HasSubstr("9999999999; remove it from loader/entries"));
}

struct Esp {
  Esp() : boot(OpenDir(AT_FDCWD, dir.path(), RealSyscalls()).value()) {}
  std::vector<std::string> Names() { return ListDir(boot.get(), "loader/entries").value(); }
  LoaderState Read() { return loader.Read().value(); }
  void RenameAs(const std::string& from, const std::string& to) {
    fs::rename(fs::path(dir.path()) / "loader/entries" / from, fs::path(dir.path()) / "loader/entries" / to);
  }

  testing::TempDir dir;
  UniqueFd boot;
  testing::TestContext context;
  testing::FaultySyscalls sys;
  OpContext ctx{.clock = context.clock, .log = context.log, .progress = context.progress, .cancel = {}, .sys = sys};
  SystemdBootLoader loader{boot.get()};
};

TEST(SystemdBootLoader, ReadsWhatSystemdBootCounted) {
  Esp esp;
  ASSERT_TRUE(esp.loader.Bless(Entry(1), esp.ctx).ok());
  ASSERT_TRUE(esp.loader.Arm(Entry(1), Entry(2, false), 3, esp.ctx).ok());
  const std::string stem = "hostapp-0000000002-0000000002";
  ASSERT_THAT(esp.Names(), ElementsAre("hostapp-0000000001-0000000001.conf", stem + "+3.conf"));
  esp.RenameAs(stem + "+3.conf", stem + "+2-1.conf");
  EXPECT_EQ(esp.Read().trial, (LoaderState::Trial{.serial = 2, .tries_left = 2}));
  esp.RenameAs(stem + "+2-1.conf", stem + "+0-3.conf");
  EXPECT_EQ(esp.Read().trial, (LoaderState::Trial{.serial = 2, .tries_left = 0}));
  EXPECT_EQ(esp.Read().default_serial, 1U);
  ASSERT_TRUE(esp.loader.Bless(Entry(1), esp.ctx).ok());
  EXPECT_THAT(esp.Names(), ElementsAre("hostapp-0000000001-0000000001.conf"));
}

TEST(SystemdBootLoader, ArmsAgainWhatAnotherUnitBlessed) {
  Esp esp;
  ASSERT_TRUE(esp.loader.Bless(Entry(1), esp.ctx).ok());
  ASSERT_TRUE(esp.loader.Arm(Entry(1), Entry(2, false), 3, esp.ctx).ok());
  esp.RenameAs("hostapp-0000000002-0000000002+3.conf", "hostapp-0000000002-0000000002.conf");
  EXPECT_EQ(esp.Read().default_serial, 2U);
  ASSERT_TRUE(esp.loader.Arm(Entry(1), Entry(2, false), 2, esp.ctx).ok());
  EXPECT_EQ(esp.Read().default_serial, 1U);
  EXPECT_EQ(esp.Read().trial, (LoaderState::Trial{.serial = 2, .tries_left = 2}));
}

TEST(SystemdBootLoader, KeepsProvenEntriesBehindTheDefaultAndLeavesOthersAlone) {
  Esp esp;
  for (const uint64_t serial : {1U, 2U, 3U}) ASSERT_TRUE(esp.loader.Bless(Entry(serial), esp.ctx).ok());
  std::ofstream(fs::path(esp.dir.path()) / "loader/entries/debian.conf") << "linux /vmlinuz\n";
  std::ofstream(fs::path(esp.dir.path()) / "loader/entries/.hostapp-0000000009-0000000009.conf.new") << "cut";
  ASSERT_TRUE(esp.loader.Remove(2, esp.ctx).ok());
  ASSERT_TRUE(esp.loader.Bless(Entry(1), esp.ctx).ok());
  EXPECT_THAT(esp.Names(),
              ElementsAre("debian.conf", "hostapp-0000000001-0000000004.conf", "hostapp-0000000003-0000000003.conf"));
}

TEST(SystemdBootLoader, ATextUnderAnothersNameIsNoEntry) {
  Esp esp;
  ASSERT_TRUE(esp.loader.Bless(Entry(1), esp.ctx).ok());
  esp.RenameAs("hostapp-0000000001-0000000001.conf", "hostapp-0000000001-0000000007.conf");
  EXPECT_EQ(esp.Read().default_serial, 0U);
}

TEST(SystemdBootLoader, RefusesArgumentsThatItWouldChange) {
  Esp esp;
  for (const char* wrong : {"a=b\nlinux /other", "a=\xc3\xa4", "a=\x01", " a", "a=b "}) {
    BootEntry entry = Entry(1);
    entry.arguments = {wrong};
    const Status status = esp.loader.Check(entry);
    ASSERT_FALSE(status.ok()) << wrong;
    EXPECT_EQ(status.error().code(), Errc::kInvalid);
    EXPECT_THAT(status.error().message(), HasSubstr("printable ASCII"));
  }
}

TEST(SystemdBootConfig, PinsNothing) {
  EXPECT_THAT(SystemdBootConfig(), HasSubstr("\ndefault hostapp-*\n"));
  EXPECT_THAT(SystemdBootConfig(), HasSubstr("\ntimeout 0\n"));
}

}  // namespace
}  // namespace hostapp
