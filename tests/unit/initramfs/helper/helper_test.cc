// SPDX-License-Identifier: Apache-2.0
// The helper's smaller parts: text, deployment.json, facts, the ledger's file, the checks of a tree, the report.
#include <vector>

#include "initramfs/helper/facts.h"
#include "initramfs/helper/json_string.h"
#include "initramfs/helper/ledger_file.h"
#include "initramfs/helper/report.h"
#include "initramfs/helper/tree_check.h"
#include "initramfs/helper/watchdog.h"
#include "tests/support/bad_block.h"
#include "tests/unit/initramfs/helper/temp_tree.h"

namespace hostapp::initramfs {
namespace {

TEST(Text, AppendsNumbersOfEverySize) {
  EXPECT_EQ(Text<99>().Append(0).Append(" ").Append(-7).Append(" ").Append(~uint64_t{0}).view(),
            "0 -7 18446744073709551615");
  EXPECT_EQ(Text<99>().Append(INT64_MIN).view(), "-9223372036854775808");
}

TEST(Text, KeepsWhatFitsAndSaysThatItDidNot) {
  const Text<6> text("abc", "defg");
  EXPECT_EQ(text.view(), "abcde");
  EXPECT_STREQ(text.c_str(), "abcde");
  EXPECT_TRUE(text.truncated());
}

TEST(FindString, FindsAMemberOfTheOutermostObjectOnly) {
  EXPECT_EQ(FindString(R"({"boot_set":"aa","b":1})", "boot_set"), "aa");
  EXPECT_EQ(FindString("{\n  \"a\": [1, {\"boot_set\": \"inner\"}],\n  \"boot_set\" : \"outer\"\n}\n", "boot_set"),
            "outer");
  EXPECT_EQ(FindString(R"({"x":"\"boot_set\":\"forged\"","boot_set":"real"})", "boot_set"), "real");
  EXPECT_EQ(FindString(R"({"x":"boot_set","boot_set":"real"})", "boot_set"), "real");
}

TEST(FindString, AnswersEmptyForAnythingElse) {
  for (const char* json : {"", "{", "\"boot_set\"", "{\"boot_set\":", "{\"boot_set\":\"", "{\"boot_set\":null}",
                           "{\"boot_set\":7}", "{\"boot_set\":[\"a\"]}", "{\"boot_set\":\"a\\n\"}",
                           "[\"boot_set\":\"a\"", "{\"a\":{\"boot_set\":\"a\"}}", "{\"boot_set\" \"a\"}", "{\"\\"}) {
    EXPECT_EQ(FindString(json, "boot_set"), json == std::string("[\"boot_set\":\"a\"") ? "a" : "") << json;
  }
}

class FactsTest : public testing::Test {
 protected:
  void Deployment(int serial, bool good, const std::string& json) {
    const std::string folder = "hostapp/deployments/" + std::to_string(serial) + "/";
    tree_.File(folder + "deployment.json", json);
    if (good) tree_.File(folder + "good", "");
  }
  static std::string Json(char digit) {
    return R"({"boot_set":")" + std::string(64, digit) + R"(","manifest_digest":"sha256:)" + std::string(64, digit) +
           "\"}";
  }
  std::string Gathered(const bootsel::Ledger* ledger, const bootsel::Asked& asked) {
    table_.Gather(tree_.fd(), ledger, asked);
    std::string text;
    for (const bootsel::DeploymentFacts& facts : table_.facts().deployments) {
      text += std::to_string(facts.serial) + (facts.complete ? " complete" : "") + (facts.proven ? " proven" : "") +
              (facts.has_boot_set ? " set" : "") + (facts.unbootable ? " unbootable" : "") + "\n";
    }
    return text;
  }
  TempTree tree_;
  FactsTable table_;
};

TEST_F(FactsTest, LooksAtTheNamedOnesAndReadsNothingOfTheTrialInAnOrdinaryBoot) {
  Deployment(1, true, Json('1'));
  Deployment(2, true, Json('2'));
  Deployment(3, false, Json('3'));
  Deployment(4, true, Json('4'));
  bootsel::Ledger ledger;
  ledger.default_deployment.serial = 2;
  ledger.previous.serial = 1;
  ledger.trial.serial = 3;
  EXPECT_EQ(Gathered(&ledger, {}), "2 complete proven\n1 complete proven\n3 complete\n");
  EXPECT_EQ(Gathered(&ledger, {.serial = 4, .boot_set = {}}),
            "2 complete proven\n1 complete proven\n3 complete\n4 complete proven set\n");
  EXPECT_EQ(table_.facts().deployments[3].manifest.bytes[0], 0x44);
}

TEST_F(FactsTest, ListsEveryOneWhenAStandInMayBeNeeded) {
  Deployment(1, true, Json('1'));
  Deployment(2, false, Json('2'));
  tree_.File("hostapp/deployments/7/good", "");
  tree_.Folder("hostapp/deployments/not-a-number");
  tree_.Folder("hostapp/deployments/07");
  std::string all = Gathered(nullptr, {});
  EXPECT_NE(all.find("1 complete proven set\n"), std::string::npos) << all;
  EXPECT_NE(all.find("2 complete set\n"), std::string::npos) << all;
  EXPECT_NE(all.find("7\n"), std::string::npos) << "incomplete, so not proven whatever marks it has: " << all;
  EXPECT_EQ(table_.facts().deployments.size(), 3U);
  bootsel::Ledger ledger;
  ledger.default_deployment.serial = 9;
  EXPECT_EQ(Gathered(&ledger, {}).substr(0, 2), "9\n") << "the default is gone";
  EXPECT_EQ(table_.facts().deployments.size(), 4U);
}

TEST_F(FactsTest, RemembersWhatCouldNotBeBooted) {
  Deployment(2, true, Json('2'));
  bootsel::Ledger ledger;
  ledger.default_deployment.serial = 2;
  Gathered(&ledger, {});
  table_.MarkUnbootable(2);
  EXPECT_EQ(Gathered(&ledger, {}), "2 complete proven set unbootable\n");
}

TEST_F(FactsTest, KeepsTheNamedAndTheNewestProvenOfHundreds) {
  for (int serial = 1; serial <= 200; serial++) Deployment(serial, serial % 2 == 0, Json('1'));
  bootsel::Ledger ledger;
  ledger.default_deployment.serial = 1000;
  ledger.previous.serial = 1;
  Gathered(&ledger, {});
  size_t proven = 0;
  bootsel::Serial oldest = 1000;
  for (const bootsel::DeploymentFacts& facts : table_.facts().deployments) {
    proven += facts.proven ? 1 : 0;
    if (facts.proven && facts.serial < oldest) oldest = facts.serial;
  }
  EXPECT_EQ(proven, 62U);
  EXPECT_EQ(oldest, 200U - 2 * 61);
}

TEST(LedgerStore, WritesIntoTheOtherSlotEachTime) {
  TempTree tree;
  tree.Folder("hostapp");
  LedgerStore store(tree.fd());
  store.Load();
  EXPECT_EQ(store.ledger(), nullptr);
  Problem why;
  bootsel::Ledger ledger;
  for (uint64_t generation = 1; generation <= 3; generation++) {
    ledger.generation = generation;
    ASSERT_TRUE(store.Store(ledger, why)) << why.text();
    LedgerStore reread(tree.fd());
    reread.Load();
    ASSERT_NE(reread.ledger(), nullptr);
    EXPECT_EQ(reread.ledger()->generation, generation);
    EXPECT_EQ(reread.file().pick.newest, static_cast<int>((generation - 1) % 2));
  }
  EXPECT_EQ(std::filesystem::file_size(tree.Path("hostapp/boot-ledger")), bootsel::kLedgerFileBytes);
}

TEST(LedgerStore, MakesATruncatedFileWhole) {
  TempTree tree;
  tree.File("hostapp/boot-ledger", "HALEDGER");
  LedgerStore store(tree.fd());
  store.Load();
  EXPECT_EQ(store.file().slots[0], bootsel::SlotState::kEmpty);
  Problem why;
  bootsel::Ledger ledger;
  ledger.generation = 5;
  ASSERT_TRUE(store.Store(ledger, why)) << why.text();
  LedgerStore reread(tree.fd());
  reread.Load();
  EXPECT_EQ(reread.ledger()->generation, 5U);
}

// One after the other: generations 5 and 6, default 7.
std::string TwoRecords() {
  std::string file(bootsel::kLedgerFileBytes, 0);
  bootsel::Ledger ledger;
  ledger.default_deployment.serial = 7;
  for (size_t slot = 0; slot < bootsel::kSlotCount; ++slot) {
    ledger.generation = 5 + slot;
    const auto bytes = std::as_writable_bytes(std::span(file)).subspan(slot * bootsel::kSlotBytes);
    bootsel::Encode(ledger, bytes.first<bootsel::kSlotBytes>());
  }
  return file;
}

TEST(LedgerStore, LosesOneSlotToABlockThatCannotBeRead) {
  for (const int64_t block : {0, 1}) {
    TempTree tree;
    tree.Folder("hostapp");
    tree.File("hostapp/boot-ledger", TwoRecords());
    LedgerStore store(tree.fd());
    {
      const BadBlock bad(block);
      store.Load();
    }
    ASSERT_NE(store.ledger(), nullptr) << block;
    EXPECT_EQ(store.ledger()->generation, block == 0 ? 6U : 5U);
    bootsel::Ledger next = *store.ledger();
    next.generation += 1;
    Problem why;
    ASSERT_TRUE(store.Store(next, why));
    LedgerStore reread(tree.fd());
    reread.Load();
    EXPECT_EQ(reread.ledger()->generation, next.generation) << "the one that could be read is still there";
  }
}

TEST(LedgerStore, WaitsForNoFifo) {
  TempTree tree;
  tree.Folder("hostapp");
  ASSERT_EQ(mkfifoat(tree.fd(), "hostapp/boot-ledger", 0600), 0);
  LedgerStore store(tree.fd());
  store.Load();
  EXPECT_EQ(store.ledger(), nullptr);
}

TEST(LedgerStore, KeepsTheOnlyRecordOfAShortFileWhileItWritesTheNext) {
  TempTree tree;
  tree.Folder("hostapp");
  const std::string first = TwoRecords().substr(0, bootsel::kSlotBytes);
  tree.File("hostapp/boot-ledger", first);
  LedgerStore store(tree.fd());
  store.Load();
  ASSERT_NE(store.ledger(), nullptr);
  bootsel::Ledger next = *store.ledger();
  next.generation += 1;
  Problem why;
  ASSERT_TRUE(store.Store(next, why));
  std::string now(bootsel::kSlotBytes, 1);
  const Fd file = OpenRegular(tree.fd(), "hostapp/boot-ledger");
  ASSERT_EQ(PreadAll(file.get(), std::as_writable_bytes(std::span(now)), 0), ssize_t{bootsel::kSlotBytes});
  EXPECT_TRUE(now == first);
}

TEST(LedgerStore, SaysWhatStandsInTheWay) {
  TempTree tree;
  tree.Folder("hostapp/boot-ledger");
  LedgerStore store(tree.fd());
  store.Load();
  EXPECT_EQ(store.ledger(), nullptr);
  Problem why;
  EXPECT_FALSE(store.Store(bootsel::Ledger{}, why));
  EXPECT_EQ(why.text(), "opening hostapp/boot-ledger for writing: Is a directory");
  EXPECT_EQ(store.ledger(), nullptr);
}

TEST(CheckInit, FollowsLinksInsideOfTheTreeOnly) {
  TempTree tree;
  tree.File("usr/lib/systemd/systemd",
            "\x7f"
            "ELF...",
            0755);
  tree.Link("sbin", "usr/sbin");
  tree.Link("usr/sbin/init", "/lib/systemd/systemd");
  tree.Link("lib", "usr/lib");
  tree.Link("usr/sbin/outside", "../../../../../../../../../bin/sh");
  Problem why;
  EXPECT_TRUE(CheckInit(tree.fd(), "/sbin/init", why)) << why.text();
  EXPECT_FALSE(CheckInit(tree.fd(), "/sbin/outside", why));
  EXPECT_EQ(why.text(), "/sbin/outside: No such file or directory");
}

TEST(CheckInit, RefusesWhatCannotBeStarted) {
  TempTree tree;
  tree.File("text", "hello", 0755);
  tree.File("empty", "", 0755);
  tree.File("plain", "#!/bin/sh\n", 0644);
  tree.Folder("folder");
  const auto refusal = [&tree](const char* init) {
    Problem why;
    return CheckInit(tree.fd(), init, why) ? std::string("accepted") : std::string(why.text());
  };
  EXPECT_EQ(refusal("/missing"), "/missing: No such file or directory");
  EXPECT_EQ(refusal("/text"), "/text: not a program (neither ELF nor #!)");
  EXPECT_EQ(refusal("/empty"), "/empty: not a program (neither ELF nor #!)");
  EXPECT_EQ(refusal("/plain"), "/plain: not executable");
  EXPECT_EQ(refusal("/folder"), "/folder: not a file");
}

TEST(FormatReport, HasALineForEachFact) {
  Report report;
  report.choice.serial = 5;
  report.choice.reason = bootsel::Reason::kTrial;
  report.choice.kernel = bootsel::Kernel::kOwn;
  report.asked.serial = 5;
  report.asked.boot_set.bytes.fill(0xab);
  report.trial = true;
  std::string set;
  for (int i = 0; i < 32; i++) set += "ab";
  EXPECT_EQ(FormatReport(report).view(),
            "format=1\nserial=5\nreason=trial\ntrial=yes\nkernel=own\nasked=5\nboot-set=" + set +
                "\nledger-writable=yes\nledger-remade=no\nroot=checkout\netc=overlay\n"
                "helper=" HOSTAPP_VERSION "\n");
  report.composefs = ComposefsWay{.image = ImageBy::kFile, .store = StoreAs::kOrdinary};
  EXPECT_NE(FormatReport(report).view().find("\nroot=composefs\nroot-image=file\nroot-store=ordinary\netc=overlay\n"),
            std::string_view::npos);
}

TEST(WatchdogSeconds, WantsANumberAndSomebodyWhoFeedsIt) {
  EXPECT_EQ(WatchdogSeconds("quiet hostapp.watchdog=60 systemd.watchdog_sec=60"), 60u);
  EXPECT_EQ(WatchdogSeconds("systemd.watchdog_sec=30 hostapp.watchdog=3600"), 3600u);
  for (const char* none :
       {"", "hostapp.watchdog=60", "systemd.watchdog_sec=60", "hostapp.watchdog= systemd.watchdog_sec=60",
        "hostapp.watchdog=0 systemd.watchdog_sec=60", "hostapp.watchdog=3601 systemd.watchdog_sec=60",
        "hostapp.watchdog=1m systemd.watchdog_sec=60", "hostapp.watchdog=60 systemd.watchdog_sec="}) {
    EXPECT_EQ(WatchdogSeconds(none), 0u) << none;
  }
}

}  // namespace
}  // namespace hostapp::initramfs
